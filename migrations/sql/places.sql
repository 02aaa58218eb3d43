-- Where elements are now, found by their OIDs whatever their names have become; an element that is gone is left out.
WITH wanted AS (
    SELECT *
    FROM unnest(%(kinds)s::text[], %(oids)s::oid[], %(column_numbers)s::smallint[]) WITH ORDINALITY
        AS w (kind, oid, column_number, position)
)
SELECT w.position::integer AS position, n.nspname AS schema, NULL::oid::bigint AS table_oid, NULL::name AS table,
       c.relname AS name, NULL::name AS index
FROM wanted w JOIN pg_class c ON c.oid = w.oid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE w.kind IN ('table', 'view', 'matview', 'sequence')
UNION ALL
SELECT w.position::integer, n.nspname, c.oid::bigint, c.relname, a.attname, NULL
FROM wanted w
JOIN pg_attribute a ON a.attrelid = w.oid AND a.attnum = w.column_number AND NOT a.attisdropped
JOIN pg_class c ON c.oid = w.oid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE w.kind = 'column'
UNION ALL
SELECT w.position::integer, n.nspname, i.indrelid::bigint, t.relname, c.relname, NULL
FROM wanted w JOIN pg_index i ON i.indexrelid = w.oid JOIN pg_class c ON c.oid = i.indexrelid
JOIN pg_class t ON t.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE w.kind = 'index'
UNION ALL
SELECT w.position::integer, n.nspname, k.conrelid::bigint, t.relname, k.conname, i.relname
FROM wanted w JOIN pg_constraint k ON k.oid = w.oid JOIN pg_class t ON t.oid = k.conrelid
JOIN pg_namespace n ON n.oid = t.relnamespace
LEFT JOIN pg_class i ON i.oid = k.conindid AND k.contype IN ('p', 'u', 'x')
WHERE w.kind = 'constraint'
UNION ALL
SELECT w.position::integer, n.nspname, NULL, NULL, t.typname, NULL
FROM wanted w JOIN pg_type t ON t.oid = w.oid JOIN pg_namespace n ON n.oid = t.typnamespace
WHERE w.kind = 'enum'
UNION ALL
-- An enum value has its type where others have their table.
SELECT w.position::integer, n.nspname, t.oid::bigint, t.typname, v.enumlabel, NULL
FROM wanted w JOIN pg_enum v ON v.oid = w.oid JOIN pg_type t ON t.oid = v.enumtypid
JOIN pg_namespace n ON n.oid = t.typnamespace
WHERE w.kind = 'enum_value'
