-- What holds the names that elements are to have again, in the namespaces where the elements are now.
WITH wanted AS (
    SELECT *
    FROM unnest(%(kinds)s::text[], %(oids)s::oid[], %(column_numbers)s::smallint[], %(names)s::name[]) WITH ORDINALITY
        AS w (kind, oid, column_number, name, position)
), spot AS (
    SELECT w.position::integer AS position, w.kind, w.oid, w.column_number, w.name,
           coalesce(c.relnamespace, kt.relnamespace, t.typnamespace) AS namespace,
           k.conrelid, CASE WHEN k.contype IN ('p', 'u', 'x') THEN k.conindid END AS index_oid, v.enumtypid
    FROM wanted w
    LEFT JOIN pg_class c ON w.kind IN ('table', 'index', 'view', 'matview', 'sequence') AND c.oid = w.oid
    LEFT JOIN pg_constraint k ON w.kind = 'constraint' AND k.oid = w.oid
    LEFT JOIN pg_class kt ON kt.oid = k.conrelid
    LEFT JOIN pg_type t ON w.kind = 'enum' AND t.oid = w.oid
    LEFT JOIN pg_enum v ON w.kind = 'enum_value' AND v.oid = w.oid
)
SELECT s.position, c.oid::bigint AS oid,
       CASE c.relkind WHEN 'r' THEN 'table' WHEN 'p' THEN 'table' WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view'
            WHEN 'S' THEN 'sequence' WHEN 'f' THEN 'foreign table' WHEN 'c' THEN 'type' ELSE 'index' END AS kind,
       'relation' AS space
FROM spot s JOIN pg_class c ON c.relnamespace = s.namespace AND c.relname = s.name
WHERE (s.kind IN ('table', 'index', 'view', 'matview', 'sequence') OR (s.kind = 'constraint' AND s.index_oid IS NOT NULL))
  AND c.oid <> s.oid AND c.oid <> coalesce(s.index_oid, 0)
UNION ALL
-- Tables and views have a type of their name; types of arrays get out of the way by themselves.
SELECT s.position, t.oid::bigint, 'type', 'type'
FROM spot s JOIN pg_type t ON t.typnamespace = s.namespace AND t.typname = s.name
WHERE t.typcategory <> 'A' AND t.oid <> s.oid
  AND (s.kind = 'enum' OR (s.kind IN ('table', 'view', 'matview') AND t.typrelid = 0))
UNION ALL
SELECT s.position, s.oid::bigint, 'column', 'column'
FROM spot s JOIN pg_attribute a ON a.attrelid = s.oid AND a.attname = s.name
WHERE s.kind = 'column' AND a.attnum <> s.column_number AND NOT a.attisdropped
UNION ALL
SELECT s.position, k.oid::bigint, 'constraint', 'constraint'
FROM spot s JOIN pg_constraint k ON k.conrelid = s.conrelid AND k.conname = s.name
WHERE k.oid <> s.oid
UNION ALL
SELECT s.position, v.oid::bigint, 'label', 'label'
FROM spot s JOIN pg_enum v ON v.enumtypid = s.enumtypid AND v.enumlabel = s.name
WHERE v.oid <> s.oid
ORDER BY 1, 3
