-- How long reading a table takes, by the server's clock; no client and no network is in it.
DO $$
DECLARE
    began timestamptz := clock_timestamp();
BEGIN
    FOR i IN 1 .. {statements} LOOP
        PERFORM id FROM {table} LIMIT 1;
    END LOOP;
    PERFORM set_config(
        'pgattic.microseconds',
        (extract(epoch FROM clock_timestamp() - began) * 1e6 / {statements})::text,
        true
    );
END
$$
