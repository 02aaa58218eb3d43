-- Sensors of elements in the attic, a row for each element and kind: since when all of them are armed, on which
-- relations one works now, and which hold rows of the element without one. A statement trigger or a grant on a table
-- is not on the partitions that are attached to it later; somebody may have taken one away; and what pgaudit was
-- told to watch with, it may be told no more.
WITH RECURSIVE armed AS (
    SELECT e.migration_id, e.position, s.kind, e.object_oid, e.column_number, e.kind = 'column' AS is_column,
           array_agg(s.object_oid) AS on_relations, array_agg(DISTINCT s.name) AS names, max(s.made_at) AS armed_at
    FROM pgattic.sensor s
    JOIN pgattic.element e ON (e.migration_id, e.position) = (s.migration_id, s.position)
    WHERE s.removed_at IS NULL
    GROUP BY e.migration_id, e.position, s.kind
), auditor AS (
    -- A setting of a library that is not loaded is not among these.
    SELECT r.oid FROM pg_settings g JOIN pg_roles r ON r.rolname = g.setting WHERE g.name = 'pgaudit.role'
), part AS (
    SELECT DISTINCT a.object_oid AS whole, a.object_oid AS relation FROM armed a WHERE a.kind <> 'canary'
    UNION
    SELECT p.whole, i.inhrelid FROM part p JOIN pg_inherits i ON i.inhparent = p.relation
), spot AS (
    SELECT a.migration_id, a.position, a.kind, o.relation
    FROM armed a, unnest(a.on_relations) AS o(relation)
    WHERE a.kind = 'canary'
    UNION
    SELECT a.migration_id, a.position, a.kind, p.relation
    FROM armed a JOIN part p ON p.whole = a.object_oid
    WHERE a.kind <> 'canary'
), place AS (
    SELECT a.migration_id, a.position, a.kind, a.armed_at, c.relname, n.nspname,
           CASE a.kind
                WHEN 'trigger' THEN
                    EXISTS (SELECT FROM pg_trigger g JOIN pg_proc f ON f.oid = g.tgfoid
                            WHERE g.tgrelid = c.oid AND g.tgname = ANY (a.names) AND g.tgenabled = 'A'
                              AND f.pronamespace = 'pgattic'::regnamespace)
                WHEN 'canary' THEN
                    EXISTS (SELECT FROM pg_rewrite w
                            JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid
                            JOIN pg_proc f ON d.refclassid = 'pg_proc'::regclass AND f.oid = d.refobjid
                            WHERE w.ev_class = c.oid AND f.pronamespace = 'pgattic'::regnamespace)
                ELSE
                    (SELECT count(DISTINCT x.privilege_type)
                     FROM auditor o, LATERAL aclexplode(CASE WHEN a.is_column THEN k.attacl ELSE c.relacl END) x
                     WHERE x.grantee = o.oid
                       AND (x.privilege_type IN ('SELECT', 'INSERT', 'UPDATE')
                            OR x.privilege_type = 'DELETE' AND NOT a.is_column))
                    = CASE WHEN a.is_column THEN 3 ELSE 4 END
           END AS is_watched
    FROM armed a
    JOIN spot s USING (migration_id, position, kind)
    JOIN pg_class c ON c.oid = s.relation
    JOIN pg_namespace n ON n.oid = c.relnamespace
    -- An inherited column has the same name everywhere, and not always the same number.
    LEFT JOIN pg_attribute w ON a.is_column AND w.attrelid = a.object_oid AND w.attnum = a.column_number
    LEFT JOIN pg_attribute k ON k.attrelid = c.oid AND k.attname = w.attname AND NOT k.attisdropped
    WHERE (a.kind <> 'trigger' OR c.relkind IN ('r', 'p')) AND (NOT a.is_column OR k.attnum IS NOT NULL)
    UNION ALL
    -- Also where nothing is left of it; a join back would compare each with each.
    SELECT a.migration_id, a.position, a.kind, a.armed_at, NULL, NULL, NULL FROM armed a
)
SELECT p.migration_id, p.position, p.kind, p.armed_at,
       count(*) FILTER (WHERE p.is_watched) AS watched,
       coalesce(array_agg(quote_ident(p.nspname) || '.' || quote_ident(p.relname) ORDER BY p.nspname, p.relname)
                -- Without pgaudit no grant would help.
                FILTER (WHERE NOT p.is_watched AND (p.kind <> 'grant' OR EXISTS (SELECT FROM auditor))),
                '{}') AS unwatched
FROM place p
GROUP BY p.migration_id, p.position, p.kind, p.armed_at
ORDER BY 1, 2, 3
