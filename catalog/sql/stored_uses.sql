-- What stored objects refer to by OID: views, rules, policies, defaults, generated columns, BEGIN ATOMIC
-- functions, index expressions, check constraints, domains, partitions, publications… These survive a rename
-- without ever saying its name.
WITH referrer AS (
    SELECT 'pg_rewrite'::regclass AS classid, r.oid AS objid, 0 AS objsubid,
           CASE WHEN r.rulename <> '_RETURN' THEN 'rule' WHEN c.relkind = 'm' THEN 'materialized view' ELSE 'view' END AS kind,
           n.nspname AS schema, c.relname AS relation,
           CASE WHEN r.rulename = '_RETURN' THEN c.relname ELSE r.rulename END AS name,
           c.oid AS relid
    FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class JOIN pg_namespace n ON n.oid = c.relnamespace
    UNION ALL
    SELECT 'pg_policy'::regclass, p.oid, 0, 'policy', n.nspname, c.relname, p.polname, c.oid
    FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    UNION ALL
    SELECT 'pg_attrdef'::regclass, d.oid, 0, CASE WHEN a.attgenerated <> '' THEN 'generated column' ELSE 'default' END,
           n.nspname, c.relname, a.attname, c.oid
    FROM pg_attrdef d JOIN pg_class c ON c.oid = d.adrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
    UNION ALL
    SELECT 'pg_proc'::regclass, p.oid, 0, 'function', n.nspname, NULL, p.proname, NULL
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
    UNION ALL
    SELECT 'pg_trigger'::regclass, g.oid, 0, 'trigger', n.nspname, c.relname, g.tgname, c.oid
    FROM pg_trigger g JOIN pg_class c ON c.oid = g.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    -- Those that pgattic put on elements in the attic use nothing.
    WHERE NOT g.tgisinternal AND g.tgfoid NOT IN (SELECT f.oid FROM pg_proc f
                                                  JOIN pg_namespace fn ON fn.oid = f.pronamespace
                                                  WHERE fn.nspname = 'pgattic')
    UNION ALL
    SELECT 'pg_constraint'::regclass, k.oid, 0, 'constraint', n.nspname, c.relname, k.conname, c.oid
    FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    UNION ALL
    SELECT 'pg_class'::regclass, i.indexrelid, 0, 'index', n.nspname, t.relname, c.relname, t.oid
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_class t ON t.oid = i.indrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace
    UNION ALL
    SELECT 'pg_type'::regclass, t.oid, 0, CASE t.typtype WHEN 'd' THEN 'domain' ELSE 'range type' END,
           n.nspname, NULL, t.typname, NULL
    FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace WHERE t.typtype IN ('d', 'r')
    UNION ALL
    SELECT 'pg_class'::regclass, c.oid, 0, 'composite type', n.nspname, NULL, c.relname, c.oid
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'c'
    UNION ALL
    SELECT 'pg_class'::regclass, c.oid, 0, CASE WHEN c.relispartition THEN 'partition' ELSE 'inheriting table' END,
           n.nspname, NULL, c.relname, c.oid
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'f') AND c.oid IN (SELECT inhrelid FROM pg_inherits)
    UNION ALL
    SELECT 'pg_publication_rel'::regclass, r.oid, 0, 'publication', '', NULL, p.pubname, NULL
    FROM pg_publication_rel r JOIN pg_publication p ON p.oid = r.prpubid
    UNION ALL
    -- Casts, operators and what else there is: rather one referrer too many than one too few.
    SELECT o.classid, o.objid, 0, i.type, coalesce(i.schema, ''), NULL, i.identity, NULL
    FROM (SELECT DISTINCT d.classid, d.objid
          FROM pg_depend d
          WHERE d.deptype = 'n' AND d.objid >= 16384
            AND d.refclassid IN ('pg_class'::regclass, 'pg_type'::regclass) AND d.refobjid >= 16384
            AND d.classid NOT IN ('pg_rewrite'::regclass, 'pg_policy'::regclass, 'pg_attrdef'::regclass,
                                  'pg_proc'::regclass, 'pg_trigger'::regclass, 'pg_constraint'::regclass,
                                  'pg_class'::regclass, 'pg_type'::regclass, 'pg_publication_rel'::regclass)) o,
         LATERAL pg_identify_object(o.classid, o.objid, 0) i
)
SELECT DISTINCT
       s.kind,
       s.schema,
       s.relation,
       s.name,
       tn.nspname AS used_schema,
       coalesce(tc.relname, tt.typname) AS used_name,
       CASE WHEN tt.oid IS NOT NULL THEN 'enum' ELSE 'relation' END AS used_kind,
       ta.attname AS used_column,
       -- A constant of an enum type shows its label in the text alone: PostgreSQL keeps no dependency on a label.
       CASE WHEN tt.oid IS NULL THEN NULL
            WHEN s.classid = 'pg_rewrite'::regclass THEN pg_get_ruledef(s.objid)
            WHEN s.classid = 'pg_policy'::regclass
                THEN (SELECT concat(pg_get_expr(p.polqual, p.polrelid), ' ', pg_get_expr(p.polwithcheck, p.polrelid))
                      FROM pg_policy p WHERE p.oid = s.objid)
            WHEN s.classid = 'pg_attrdef'::regclass
                THEN (SELECT pg_get_expr(v.adbin, v.adrelid) FROM pg_attrdef v WHERE v.oid = s.objid)
            WHEN s.classid = 'pg_proc'::regclass THEN pg_get_function_sqlbody(s.objid)
            WHEN s.classid = 'pg_trigger'::regclass THEN pg_get_triggerdef(s.objid)
            WHEN s.classid = 'pg_constraint'::regclass THEN pg_get_constraintdef(s.objid)
            WHEN s.kind = 'index' THEN pg_get_indexdef(s.objid)
            WHEN s.kind = 'partition' THEN (SELECT pg_get_expr(b.relpartbound, b.oid) FROM pg_class b WHERE b.oid = s.objid)
            WHEN s.kind = 'domain' THEN (SELECT y.typdefault FROM pg_type y WHERE y.oid = s.objid)
       END AS definition
FROM referrer s
JOIN pg_depend d ON d.classid = s.classid AND d.objid = s.objid
LEFT JOIN pg_class tc ON d.refclassid = 'pg_class'::regclass AND tc.oid = d.refobjid
LEFT JOIN pg_attribute ta ON ta.attrelid = tc.oid AND ta.attnum = d.refobjsubid AND d.refobjsubid > 0
LEFT JOIN pg_type tt ON d.refclassid = 'pg_type'::regclass AND tt.oid = d.refobjid AND tt.typtype = 'e'
JOIN pg_namespace tn ON tn.oid = coalesce(tc.relnamespace, tt.typnamespace)
WHERE s.schema NOT IN ('pg_catalog', 'information_schema', 'pgattic')
  AND tn.nspname NOT IN ('pg_catalog', 'information_schema', 'pgattic')
  AND s.schema !~ '^pg_(toast|temp)'
  -- A view's own rule depends on the view itself.
  AND NOT (s.classid = 'pg_rewrite'::regclass AND d.refobjid = s.relid)
  -- So do the key columns of a partition that has partitions itself.
  AND NOT (d.classid = d.refclassid AND d.objid = d.refobjid)
UNION ALL
-- A subscription writes by the publisher's names; what it writes to stands in no dependency.
SELECT 'subscription', '', NULL, u.subname, n.nspname, c.relname, 'relation', NULL, NULL
FROM pg_subscription_rel r
JOIN pg_subscription u ON u.oid = r.srsubid
JOIN pg_class c ON c.oid = r.srrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
ORDER BY 1, 2, 3, 4, 5, 6, 8
