-- What sensors can be put on: the relations of elements as they are called now, the partitions and inheriting tables
-- that hold rows of theirs, the views that keep former names working, and what the audit role may do already.
WITH RECURSIVE wanted AS (
    SELECT *
    FROM unnest(%(kinds)s::text[], %(oids)s::oid[], %(column_numbers)s::smallint[], %(shim_oids)s::oid[]) WITH ORDINALITY
        AS w (kind, oid, column_number, shim_oid, position)
    WHERE w.kind IN ('table', 'column', 'view', 'matview')
), part AS (
    SELECT w.position, w.oid AS relation, 0 AS depth FROM wanted w
    UNION
    SELECT p.position, i.inhrelid, p.depth + 1 FROM part p JOIN pg_inherits i ON i.inhparent = p.relation
), auditor AS (
    SELECT r.oid, r.rolname FROM pg_roles r WHERE r.rolname = %(audit_role)s
), named AS (
    SELECT w.position, a.attname AS name
    FROM wanted w JOIN pg_attribute a ON a.attrelid = w.oid AND a.attnum = w.column_number AND NOT a.attisdropped
    WHERE w.kind = 'column'
), found AS (
    SELECT p.position, min(p.depth) AS depth, c.oid, n.nspname AS schema, c.relname AS name, c.relkind AS kind,
           c.relacl, a.attname AS column_name, a.attnum AS column_number, a.attacl
    FROM part p
    JOIN pg_class c ON c.oid = p.relation
    JOIN pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN named k ON k.position = p.position
    -- An inherited column has the same name everywhere, and not always the same number.
    LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = k.name AND NOT a.attisdropped
    GROUP BY p.position, c.oid, n.nspname, c.relname, c.relkind, c.relacl, a.attname, a.attnum, a.attacl
)
SELECT w.position::integer AS position,
       (SELECT coalesce(jsonb_agg(jsonb_build_object(
                   'oid', f.oid::bigint, 'schema', f.schema, 'name', f.name, 'kind', f.kind,
                   'column', f.column_name, 'column_number', f.column_number,
                   'granted', (SELECT coalesce(jsonb_agg(DISTINCT x.privilege_type), '[]')
                               FROM auditor o,
                               LATERAL aclexplode(CASE WHEN w.kind = 'column' THEN f.attacl ELSE f.relacl END) x
                               WHERE x.grantee = o.oid
                                 -- What is granted for another element of ours is not somebody else's.
                                 AND NOT EXISTS (SELECT FROM pgattic.sensor s
                                                 WHERE s.kind = 'grant' AND s.removed_at IS NULL
                                                   AND s.object_oid = f.oid AND s.name = o.rolname
                                                   AND s.column_number IS NOT DISTINCT FROM f.column_number
                                                   AND x.privilege_type = ANY (s.privileges)))
               ) ORDER BY f.depth, f.schema, f.name), '[]')
        FROM found f WHERE f.position = w.position) AS parts,
       (SELECT jsonb_build_object(
                   'oid', c.oid::bigint, 'schema', n.nspname, 'name', c.relname,
                   'definition', pg_get_viewdef(c.oid), 'options', coalesce(to_jsonb(c.reloptions), '[]'))
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.oid = w.shim_oid AND c.relkind = 'v') AS shim
FROM wanted w
ORDER BY 1
