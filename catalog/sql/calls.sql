-- Which functions stored objects call, themselves or through an operator: they run when the object's table is
-- read or written, and no statement names them.
WITH referrer AS (
    SELECT 'pg_rewrite'::regclass AS classid, r.oid AS objid,
           CASE WHEN r.rulename <> '_RETURN' THEN 'rule' WHEN c.relkind = 'm' THEN 'materialized view' ELSE 'view' END AS kind,
           n.nspname AS schema, c.relname AS relation,
           CASE WHEN r.rulename = '_RETURN' THEN c.relname ELSE r.rulename END AS name
    FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class JOIN pg_namespace n ON n.oid = c.relnamespace
    UNION ALL
    SELECT 'pg_policy'::regclass, p.oid, 'policy', n.nspname, c.relname, p.polname
    FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    UNION ALL
    SELECT 'pg_attrdef'::regclass, d.oid, CASE WHEN a.attgenerated <> '' THEN 'generated column' ELSE 'default' END,
           n.nspname, c.relname, a.attname
    FROM pg_attrdef d JOIN pg_class c ON c.oid = d.adrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
    UNION ALL
    SELECT 'pg_constraint'::regclass, k.oid, 'constraint', n.nspname, c.relname, k.conname
    FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE k.contype IN ('c', 'x')
    UNION ALL
    SELECT 'pg_class'::regclass, i.indexrelid, 'index', n.nspname, t.relname, c.relname
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_class t ON t.oid = i.indrelid
    JOIN pg_namespace n ON n.oid = t.relnamespace
    UNION ALL
    SELECT 'pg_trigger'::regclass, g.oid, 'trigger', n.nspname, c.relname, g.tgname
    FROM pg_trigger g JOIN pg_class c ON c.oid = g.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE NOT g.tgisinternal
    UNION ALL
    -- Aggregates, functions kept parsed, and those that defaults of arguments call.
    SELECT 'pg_proc'::regclass, p.oid, 'function', n.nspname, '', p.proname
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
    UNION ALL
    SELECT 'pg_operator'::regclass, o.oid, 'operator', n.nspname, '', o.oprname
    FROM pg_operator o JOIN pg_namespace n ON n.oid = o.oprnamespace
    UNION ALL
    SELECT 'pg_cast'::regclass, c.oid, 'cast', n.nspname, '', t.typname
    FROM pg_cast c JOIN pg_type t ON t.oid IN (c.castsource, c.casttarget) JOIN pg_namespace n ON n.oid = t.typnamespace
    UNION ALL
    SELECT 'pg_constraint'::regclass, k.oid, 'domain', n.nspname, '', t.typname
    FROM pg_constraint k JOIN pg_type t ON t.oid = k.contypid JOIN pg_namespace n ON n.oid = t.typnamespace
    UNION ALL
    SELECT 'pg_event_trigger'::regclass, e.oid, 'event trigger', '', '', e.evtname
    FROM pg_event_trigger e WHERE e.evtenabled <> 'D'
)
SELECT DISTINCT s.kind, s.schema, s.relation, s.name, p.oid::bigint AS function_oid
FROM referrer s
JOIN pg_depend d ON d.classid = s.classid AND d.objid = s.objid
LEFT JOIN pg_operator o ON d.refclassid = 'pg_operator'::regclass AND o.oid = d.refobjid
JOIN pg_proc p ON p.oid = CASE WHEN d.refclassid = 'pg_proc'::regclass THEN d.refobjid ELSE o.oprcode::oid END
JOIN pg_namespace pn ON pn.oid = p.pronamespace
WHERE s.schema NOT IN ('pg_catalog', 'information_schema', 'pgattic')
  AND s.schema !~ '^pg_(toast|temp)'
  AND pn.nspname NOT IN ('pg_catalog', 'information_schema', 'pgattic')
ORDER BY 1, 2, 3, 4, 5
