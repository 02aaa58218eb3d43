-- Shim views as they are now, and what somebody built on them: views, functions, triggers, rules.
WITH shim AS (
    SELECT c.oid, n.nspname AS schema, c.relname AS name, c.reltype, c.relacl
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.oid = ANY (%(oids)s::oid[]) AND c.relkind = 'v'
), referrer AS (
    -- One look into an index for each of the view, its row type and the array type of that.
    SELECT s.oid AS shim, d.classid, d.objid, d.objsubid
    FROM shim s
    JOIN pg_type t ON t.oid = s.reltype,
    LATERAL (VALUES ('pg_class'::regclass, s.oid), ('pg_type', t.oid), ('pg_type', t.typarray)) AS o (class, oid)
    JOIN pg_depend d ON d.refclassid = o.class AND d.refobjid = o.oid
    -- The view's own rule and row type belong to it (i), as does the array type of that.
    WHERE d.deptype IN ('n', 'a') AND d.classid <> 'pg_type'::regclass
)
SELECT s.oid::bigint AS oid, s.schema, s.name,
       coalesce((
           SELECT jsonb_agg(DISTINCT coalesce(
                      (SELECT v.type || ' ' || v.identity
                       FROM pg_rewrite r, pg_identify_object('pg_class'::regclass, r.ev_class, 0) v
                       WHERE f.classid = 'pg_rewrite'::regclass AND r.oid = f.objid AND r.rulename = '_RETURN'),
                      i.type || ' ' || i.identity))
           FROM referrer f, pg_identify_object(f.classid, f.objid, f.objsubid) i
           WHERE f.shim = s.oid
             AND NOT (f.classid = 'pg_rewrite'::regclass
                      AND EXISTS (SELECT FROM pg_rewrite r
                                  WHERE r.oid = f.objid AND r.ev_class = s.oid AND r.rulename = '_RETURN'))
             -- Triggers that pgattic itself put there to see uses go with the view.
             AND NOT (f.classid = 'pg_trigger'::regclass
                      AND EXISTS (SELECT FROM pg_trigger g WHERE g.oid = f.objid AND g.tgname LIKE 'pgattic\_%%'))
       ), '[]') AS users,
       coalesce((
           SELECT jsonb_agg(DISTINCT format('%%s to %%s', g.privilege_type,
                                            CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(g.grantee) END))
           FROM aclexplode(s.relacl) AS g
           WHERE NOT EXISTS (
               SELECT
               FROM pg_rewrite r
               JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
                               AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> r.ev_class
               JOIN pg_class shown ON shown.oid = d.refobjid,
               LATERAL aclexplode(coalesce(shown.relacl, acldefault('r', shown.relowner))) AS h
               WHERE r.ev_class = s.oid AND (h.grantee, h.privilege_type) = (g.grantee, g.privilege_type))
       ), '[]') AS grants
FROM shim s
