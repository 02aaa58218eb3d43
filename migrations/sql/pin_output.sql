-- Text output of values depends on these; a checksum is only comparable when they are the same.
SET LOCAL extra_float_digits = 1;
SET LOCAL "DateStyle" = 'ISO, YMD';
SET LOCAL "TimeZone" = 'UTC';
SET LOCAL "IntervalStyle" = 'postgres';
SET LOCAL bytea_output = 'hex';
SET LOCAL search_path = pg_catalog;
-- One scan of ours counts as one, so that it can be told from other people's.
SET LOCAL max_parallel_workers_per_gather = 0
