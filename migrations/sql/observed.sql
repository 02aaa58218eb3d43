-- What identifies the data behind elements. Reads the catalog and the counters alone, and locks no table.
WITH RECURSIVE wanted AS (
    SELECT *
    FROM unnest(%(kinds)s::text[], %(oids)s::oid[], %(column_numbers)s::smallint[]) WITH ORDINALITY
        AS w (kind, oid, column_number, position)
), located AS (
    SELECT w.*,
           CASE WHEN w.kind = 'constraint' THEN (SELECT nullif(k.conrelid, 0) FROM pg_constraint k WHERE k.oid = w.oid)
                WHEN w.kind NOT IN ('enum', 'enum_value') THEN (SELECT c.oid FROM pg_class c WHERE c.oid = w.oid)
           END AS relation
    FROM wanted w
), parts AS (
    -- Partitions and inheriting tables hold rows of their parent.
    SELECT DISTINCT relation AS root, relation AS part FROM located WHERE relation IS NOT NULL
    UNION
    SELECT p.root, i.inhrelid FROM parts p JOIN pg_inherits i ON i.inhparent = p.part
), storage AS (
    SELECT p.root,
           coalesce(jsonb_object_agg(p.part::text, pg_relation_filenode(p.part)::bigint)
                    FILTER (WHERE pg_relation_filenode(p.part) IS NOT NULL), '{}') AS filenodes,
           sum(greatest(c.reltuples, 0)) FILTER (WHERE c.relkind IN ('r', 'm'))::bigint AS estimated_rows,
           sum(pg_stat_get_tuples_inserted(p.part) + pg_stat_get_tuples_updated(p.part)
               + pg_stat_get_tuples_deleted(p.part)) FILTER (WHERE c.relkind IN ('r', 'm'))::bigint AS rows_written
    FROM parts p JOIN pg_class c ON c.oid = p.part
    GROUP BY p.root
)
SELECT l.position::integer AS position,
       l.relation::bigint AS relation_oid,
       coalesce(s.filenodes, '{}') AS filenodes,
       s.estimated_rows,
       s.rows_written,
       format_type(a.atttypid, a.atttypmod) AS column_type,
       a.atttypid::bigint AS type_oid,
       a.atttypmod AS type_modifier,
       (SELECT jsonb_agg(v.enumlabel ORDER BY v.enumsortorder)
        FROM pg_enum v WHERE l.kind = 'enum' AND v.enumtypid = l.oid) AS labels,
       -- The same after REINDEX CONCURRENTLY, which gives the index another OID. Positions in the text of the
       -- statement are part of stored expressions up to PostgreSQL 16.
       (SELECT md5(concat_ws('|', i.indrelid, i.indkey, i.indclass, i.indcollation, i.indoption, i.indisunique,
                             regexp_replace(i.indexprs::text, ':location -?\d+', '', 'g'),
                             regexp_replace(i.indpred::text, ':location -?\d+', '', 'g')))
        FROM pg_index i WHERE l.kind = 'index' AND i.indexrelid = l.oid) AS index_shape,
       CASE WHEN l.kind = 'column' THEN col_description(l.oid, l.column_number)
            WHEN l.kind = 'constraint' THEN obj_description(l.oid, 'pg_constraint')
            WHEN l.kind = 'enum' THEN obj_description(l.oid, 'pg_type')
            WHEN l.kind <> 'enum_value' THEN obj_description(l.oid, 'pg_class')
       END AS comment,
       pg_get_userbyid(coalesce(c.relowner, t.typowner)) AS owner,
       -- What pgattic granted to the audit role is nobody's change.
       CASE WHEN l.kind = 'column' THEN pgattic.grants_of_others(l.oid, l.column_number, a.attacl, NULL)
            WHEN l.kind = 'enum' THEN t.typacl::text
            WHEN l.kind NOT IN ('constraint', 'index') THEN pgattic.grants_of_others(
                l.relation, 0, c.relacl, acldefault(CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", c.relowner))
       END AS grants
FROM located l
LEFT JOIN storage s ON s.root = l.relation
LEFT JOIN pg_class c ON c.oid = l.relation
LEFT JOIN pg_type t ON l.kind = 'enum' AND t.oid = l.oid
LEFT JOIN pg_attribute a ON l.kind = 'column' AND a.attrelid = l.oid AND a.attnum = l.column_number
                        AND NOT a.attisdropped
ORDER BY 1
