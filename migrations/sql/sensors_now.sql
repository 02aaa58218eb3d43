-- Sensors that are armed, and what became of what they are on; a trigger, view, table or role that is gone has no
-- place any more.
SELECT s.id, s.migration_id, s.position, s.element, s.kind, s.object_oid::bigint AS object_oid, s.column_number, s.name,
       s.privileges,
       n.nspname AS schema, c.relname AS relation, a.attname AS column,
       CASE s.kind
            WHEN 'trigger' THEN EXISTS (SELECT FROM pg_trigger g JOIN pg_proc f ON f.oid = g.tgfoid
                                        WHERE g.tgrelid = s.object_oid AND g.tgname = s.name
                                          AND f.pronamespace = 'pgattic'::regnamespace)
            WHEN 'canary' THEN c.relkind = 'v'
            ELSE c.oid IS NOT NULL AND r.oid IS NOT NULL AND (s.column_number IS NULL OR a.attname IS NOT NULL)
       END AS is_there,
       -- Somebody switched it off, or took away a part of it.
       CASE s.kind
            WHEN 'trigger' THEN EXISTS (SELECT FROM pg_trigger g
                                        WHERE g.tgrelid = s.object_oid AND g.tgname = s.name AND g.tgenabled <> 'A')
            WHEN 'grant' THEN EXISTS (
                SELECT unnest(s.privileges)
                EXCEPT
                SELECT x.privilege_type
                FROM aclexplode(CASE WHEN s.column_number IS NULL THEN c.relacl ELSE a.attacl END) x
                WHERE x.grantee = r.oid)
            ELSE false
       END AS is_off,
       -- Another element, which stays armed, has the same grant.
       s.kind = 'grant' AND EXISTS (
           SELECT FROM pgattic.sensor o
           WHERE o.kind = 'grant' AND o.removed_at IS NULL AND o.id <> s.id
             AND (o.object_oid, o.name) = (s.object_oid, s.name) AND o.column_number IS NOT DISTINCT FROM s.column_number
             AND NOT (o.migration_id, o.position)
                 IN (SELECT * FROM unnest(%(migration_ids)s::text[], %(positions)s::integer[]))
       ) AS is_shared,
       CASE WHEN s.kind = 'canary' AND c.relkind = 'v' THEN pg_get_viewdef(c.oid) END AS definition,
       CASE WHEN s.kind = 'canary' THEN coalesce(to_jsonb(c.reloptions), '[]') ELSE '[]' END AS options,
       -- REVOKE on a table takes away the same privileges on its columns, which are not ours.
       CASE WHEN s.kind = 'grant' AND s.column_number IS NULL THEN
           (SELECT coalesce(jsonb_agg(jsonb_build_object('column', k.attname, 'privilege', x.privilege_type,
                                                         'grantable', x.is_grantable)
                                      ORDER BY k.attnum, x.privilege_type), '[]')
            FROM pg_attribute k, aclexplode(k.attacl) x
            WHERE k.attrelid = c.oid AND NOT k.attisdropped AND x.grantee = r.oid
              AND x.privilege_type = ANY (s.privileges))
       ELSE '[]' END AS on_columns
FROM pgattic.sensor s
LEFT JOIN pg_class c ON c.oid = s.object_oid
LEFT JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = s.column_number AND NOT a.attisdropped
LEFT JOIN pg_roles r ON s.kind = 'grant' AND r.rolname = s.name
WHERE s.removed_at IS NULL
  AND (s.migration_id, s.position) IN (SELECT * FROM unnest(%(migration_ids)s::text[], %(positions)s::integer[]))
ORDER BY s.id
