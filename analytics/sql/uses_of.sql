-- The uses of one element, one row per way it was used, newest first.
WITH texts AS (
    SELECT statement_id, any_value(text) AS text FROM statement GROUP BY statement_id
)
SELECT a.element,
       a.operation,
       a.outcome,
       a.source,
       a.via,
       coalesce(a.implicit, false)  AS implicit,
       coalesce(a.ambiguous, false) AS ambiguous,
       a.sqlstate,
       a.role,
       a.database,
       a.application,
       a.client,
       a.statement_id,
       t.text                       AS statement,
       count(*)::BIGINT             AS uses,
       min(a.occurred_at)           AS first_at,
       max(a.occurred_at)           AS last_at
FROM use a
LEFT JOIN texts t ON t.statement_id = a.statement_id
WHERE a.element = $element
  AND ($since::TIMESTAMPTZ IS NULL OR a.occurred_at >= $since::TIMESTAMPTZ)
  AND ($since::TIMESTAMPTZ IS NULL OR a.day >= ($since::TIMESTAMPTZ)::DATE)
GROUP BY ALL
ORDER BY max(a.occurred_at) DESC, count(*) DESC, a.application, a.statement_id
