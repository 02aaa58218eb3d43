-- When elements were made or last altered: the commit of the transaction that wrote their rows of the catalog.
-- Null where PostgreSQL has forgotten it.
WITH wanted AS (
    SELECT * FROM unnest(%(kinds)s::text[], %(oids)s::oid[], %(column_numbers)s::smallint[]) WITH ORDINALITY
        AS w (kind, oid, number, position)
)
SELECT w.position::integer AS position,
       pg_xact_commit_timestamp(coalesce(a.xmin, k.xmin, t.xmin, v.xmin, c.xmin)) AS changed_at
FROM wanted w
LEFT JOIN pg_attribute a ON w.kind = 'column' AND a.attrelid = w.oid AND a.attnum = w.number
LEFT JOIN pg_constraint k ON w.kind = 'constraint' AND k.oid = w.oid
LEFT JOIN pg_type t ON w.kind = 'enum' AND t.oid = w.oid
LEFT JOIN pg_enum v ON w.kind = 'enum_value' AND v.oid = w.oid
LEFT JOIN pg_class c ON w.kind NOT IN ('column', 'constraint', 'enum', 'enum_value') AND c.oid = w.oid
WHERE coalesce(a.attrelid, k.oid, t.oid, v.oid, c.oid) IS NOT NULL
