-- Uses of elements, each since a moment of its own, by whom. Uses by known readers (a dump, say) that succeeded and
-- wrote nothing stand in rows of their own.
WITH wanted AS (
    SELECT DISTINCT unnest($elements::VARCHAR[]) AS element, unnest($since::TIMESTAMPTZ[]) AS since
)
SELECT w.element,
       w.since,
       coalesce(a.application, a.role)  AS reader,
       a.outcome = 'ok' AND a.operation <> 'write'
           AND coalesce(list_contains($known::VARCHAR[], a.application), false) AS is_known,
       count(*)::BIGINT                 AS uses,
       max(a.occurred_at)               AS last_at
FROM used a
JOIN wanted w ON w.element = a.element AND a.occurred_at >= w.since
WHERE a.day >= (SELECT min(since)::DATE FROM wanted)
GROUP BY ALL
