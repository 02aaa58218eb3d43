-- Scans that lines of the log put down to known readers: each COPY of a table by one of them is one scan. Where the
-- same COPY is both logged and audited, either source has it whole.
SELECT u.node,
       u.element,
       u.source,
       u.application      AS reader,
       min(u.first_at)    AS began_at,
       sum(u.uses)::BIGINT AS scans
FROM usage_hourly u
JOIN (SELECT DISTINCT statement_id FROM statement WHERE starts_with(upper(ltrim(text)), 'COPY ')) s
  ON s.statement_id = u.statement_id
WHERE u.outcome = 'ok'
  AND u.operation = 'read'
  AND list_contains($known::VARCHAR[], u.application)
  AND list_contains($elements::VARCHAR[], u.element)
  AND u.last_at >= $since::TIMESTAMPTZ
GROUP BY u.node, u.element, u.source, u.application, u.hour
ORDER BY u.node, u.element, u.source, began_at
