-- The same from the hourly counts. An hour counts whole where its last use is after the moment: rather a use too
-- many than one too few.
WITH wanted AS (
    SELECT DISTINCT unnest($elements::VARCHAR[]) AS element, unnest($since::TIMESTAMPTZ[]) AS since
)
SELECT w.element,
       w.since,
       coalesce(u.application, u.role)  AS reader,
       u.outcome = 'ok' AND u.operation <> 'write'
           AND coalesce(list_contains($known::VARCHAR[], u.application), false) AS is_known,
       sum(u.uses)::BIGINT              AS uses,
       max(u.last_at)                   AS last_at
FROM used_hourly u
JOIN wanted w ON w.element = u.element AND u.last_at >= w.since
WHERE u.day >= (SELECT min(since)::DATE - 1 FROM wanted)
GROUP BY ALL
