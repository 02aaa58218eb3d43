-- Number of rows and an order-independent checksum of them. Equal before and after dump and restore, and on
-- PostgreSQL 15 and 18, because the settings that change how values are written are pinned by the caller.
SELECT /* pgattic */
       count(*) AS rows,
       coalesce(sum(hashtextextended((pgattic_row.*)::text, 0)::numeric), 0)::text AS checksum
FROM {table} AS pgattic_row
