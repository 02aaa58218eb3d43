-- Relations, indexes and enum types that the connected role may not rename: renaming needs ownership.
SELECT c.oid::bigint AS oid
FROM pg_class c
WHERE c.relkind IN ('r', 'p', 'i', 'I', 'v', 'm', 'S', 'f') AND NOT pg_has_role(c.relowner, 'USAGE')
UNION ALL
SELECT t.oid::bigint FROM pg_type t WHERE t.typtype = 'e' AND NOT pg_has_role(t.typowner, 'USAGE')
