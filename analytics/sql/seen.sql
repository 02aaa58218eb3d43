-- Uses of elements, each since a moment of its own, by whom; `number` says which of those asked for it is, from 1.
-- Uses by known readers (a dump, say) that succeeded and wrote nothing stand in rows of their own.
WITH wanted AS (
    SELECT generate_subscripts($elements::VARCHAR[], 1) AS number,
           unnest($elements::VARCHAR[])                 AS element,
           unnest($since::TIMESTAMPTZ[])                AS since,
           unnest($since::TIMESTAMPTZ[])::DATE          AS day
)
SELECT w.number,
       a.node,
       coalesce(a.application, a.role)  AS reader,
       a.outcome = 'ok' AND a.operation <> 'write'
           AND coalesce(list_contains($known::VARCHAR[], a.application), false) AS is_known,
       count(*)::BIGINT                 AS uses,
       -- What fails on a name, or on a right, has read nothing yet.
       count(*) FILTER (a.sqlstate IS NULL OR NOT starts_with(a.sqlstate, '42'))::BIGINT AS executed,
       max(a.occurred_at)               AS last_at
FROM used a
JOIN wanted w ON w.element = a.element
WHERE a.day >= $first_day::DATE
  -- On later days than the moment's the time of each use need not be looked at, which is a third of the work.
  AND (a.day > w.day OR a.occurred_at >= w.since)
GROUP BY ALL
