-- Columns whose rows can hold a value of an enum type in the attic: of the type itself, and of arrays, domains, ranges
-- and rows made of it. is_common: whether the planner's statistics have the label among the most common values.
WITH RECURSIVE value AS (
    SELECT DISTINCT v.oid AS value, v.enumtypid AS type, v.enumlabel::text AS label
    FROM pgattic.element e JOIN pg_enum v ON v.oid = e.object_oid
    WHERE e.kind = 'enum_value' AND e.deprecated_at IS NOT NULL AND e.restored_at IS NULL
), made (base, type) AS (
    SELECT type, type FROM value
    UNION
    SELECT m.base, t.type
    FROM made m,
         LATERAL (SELECT oid FROM pg_type WHERE typelem = m.type OR typbasetype = m.type
                  UNION ALL SELECT rngtypid FROM pg_range WHERE rngsubtype = m.type
                  UNION ALL SELECT rngmultitypid FROM pg_range WHERE rngtypid = m.type
                  UNION ALL SELECT c.reltype FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
                            WHERE a.atttypid = m.type AND a.attnum > 0 AND NOT a.attisdropped AND c.reltype <> 0) t (type)
)
SELECT v.value::bigint AS value,
       v.label,
       c.oid::bigint AS relation_oid,
       n.nspname AS schema,
       c.relname AS relation,
       a.attname AS column,
       c.relkind = 'f' AS is_foreign,
       a.atttypid = v.type AS is_plain,
       coalesce((SELECT bool_or(CASE WHEN a.atttypid = v.type THEN v.label = ANY (s.most_common_vals::text::text[])
                                     ELSE strpos(translate(concat(s.most_common_vals, s.most_common_elems), '"\', ''),
                                                 translate(v.label, '"\', '')) > 0 END)
                 FROM pg_stats s
                 WHERE s.schemaname = n.nspname AND s.tablename = c.relname AND s.attname = a.attname), false) AS is_common
FROM value v
JOIN made m ON m.base = v.type
JOIN pg_attribute a ON a.atttypid = m.type AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'm', 'f') AND c.relpersistence <> 't'
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'pgattic')
ORDER BY 1, 4, 5, 6
