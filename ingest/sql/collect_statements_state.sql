-- Since when pg_stat_statements has counted without a reset, and how often it threw entries away to make room.
SELECT clock_timestamp() AS now, i.stats_reset AS reset_at, i.dealloc AS evicted
FROM {schema}.pg_stat_statements_info i
