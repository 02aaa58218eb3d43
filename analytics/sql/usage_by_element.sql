-- Who used each element of the attic since a moment (or ever), over all sources.
SELECT element,
       count(*)::BIGINT                                                                 AS uses,
       count(*) FILTER (outcome = 'error')::BIGINT                                      AS errors,
       count(*) FILTER (operation = 'read')::BIGINT                                     AS reads,
       count(*) FILTER (operation = 'write')::BIGINT                                    AS writes,
       min(occurred_at)                                                                 AS first_at,
       max(occurred_at)                                                                 AS last_at,
       coalesce(list(DISTINCT role ORDER BY role) FILTER (role IS NOT NULL), [])        AS roles,
       coalesce(list(DISTINCT application ORDER BY application)
                FILTER (application IS NOT NULL), [])                                   AS applications,
       coalesce(list(DISTINCT client ORDER BY client) FILTER (client IS NOT NULL), [])  AS clients,
       count(DISTINCT statement_id)::BIGINT                                             AS statements
FROM use
WHERE ($since::TIMESTAMPTZ IS NULL OR occurred_at >= $since::TIMESTAMPTZ)
  AND ($since::TIMESTAMPTZ IS NULL OR day >= ($since::TIMESTAMPTZ)::DATE)
GROUP BY element
ORDER BY max(occurred_at) DESC, element
