-- Foreign tables of this database, and which table of which database each of them reads.
SELECT n.nspname AS schema, c.relname AS name, s.srvname AS server,
       (SELECT option_value FROM pg_options_to_table(s.srvoptions) WHERE option_name = 'dbname') AS remote_database,
       (SELECT option_value FROM pg_options_to_table(t.ftoptions) WHERE option_name = 'schema_name') AS remote_schema,
       (SELECT option_value FROM pg_options_to_table(t.ftoptions) WHERE option_name = 'table_name') AS remote_table,
       w.fdwname AS wrapper,
       coalesce((SELECT array_agg(a.attname::text) FROM pg_attribute a
                 WHERE a.attrelid = t.ftrelid AND a.attnum > 0 AND NOT a.attisdropped
                   AND NOT EXISTS (SELECT FROM pg_options_to_table(a.attfdwoptions)
                                   WHERE option_name = 'column_name')), '{}') AS columns_by_own_name
FROM pg_foreign_table t
JOIN pg_class c ON c.oid = t.ftrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_foreign_server s ON s.oid = t.ftserver
JOIN pg_foreign_data_wrapper w ON w.oid = s.srvfdw
