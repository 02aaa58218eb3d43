-- Where an element is now, found by its OID whatever its name has become.
SELECT n.nspname AS schema, NULL::name AS table, c.relname AS name, NULL::name AS index
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE %(kind)s = 'table' AND c.oid = %(oid)s::oid
UNION ALL
SELECT n.nspname, c.relname, a.attname, NULL
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE %(kind)s = 'column' AND c.oid = %(oid)s::oid AND a.attnum = %(column_number)s::smallint AND NOT a.attisdropped
UNION ALL
SELECT n.nspname, t.relname, c.relname, NULL
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_class t ON t.oid = i.indrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE %(kind)s = 'index' AND c.oid = %(oid)s::oid
UNION ALL
SELECT n.nspname, t.relname, k.conname, i.relname
FROM pg_constraint k JOIN pg_class t ON t.oid = k.conrelid JOIN pg_namespace n ON n.oid = t.relnamespace
LEFT JOIN pg_class i ON i.oid = k.conindid AND k.contype IN ('p', 'u', 'x')
WHERE %(kind)s = 'constraint' AND k.oid = %(oid)s::oid
UNION ALL
SELECT n.nspname, NULL, t.typname, NULL
FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
WHERE %(kind)s = 'enum' AND t.oid = %(oid)s::oid
