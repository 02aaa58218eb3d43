-- The same from the hourly counts. An hour counts whole where its last use is after the moment: rather a use too
-- many than one too few.
WITH wanted AS (
    SELECT generate_subscripts($elements::VARCHAR[], 1) AS number,
           unnest($elements::VARCHAR[])                 AS element,
           unnest($since::TIMESTAMPTZ[])                AS since
)
SELECT w.number,
       u.node,
       coalesce(u.application, u.role)  AS reader,
       u.outcome = 'ok' AND u.operation <> 'write'
           AND coalesce(list_contains($known::VARCHAR[], u.application), false) AS is_known,
       sum(u.uses)::BIGINT              AS uses,
       coalesce(sum(u.uses) FILTER (u.outcome = 'ok'), 0)::BIGINT AS executed,
       max(u.last_at)                   AS last_at
FROM used_hourly u
JOIN wanted w ON w.element = u.element AND u.last_at >= w.since
WHERE u.day >= $first_day::DATE - 1
GROUP BY ALL
