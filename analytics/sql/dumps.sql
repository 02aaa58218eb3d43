-- Scans that lines of the log put down to known readers: each COPY of a table by one of them is one scan, and what
-- pg_dump asks for the value of a sequence, or from PostgreSQL 18 on of all sequences, is one read of each. Where the
-- same statement is both logged and audited, either source has it whole.
SELECT u.node,
       u.element,
       u.source,
       u.application      AS reader,
       min(u.first_at)    AS began_at,
       sum(u.uses)::BIGINT AS scans
FROM usage_hourly u
JOIN (SELECT DISTINCT statement_id, text, starts_with(upper(ltrim(text)), 'COPY ') AS is_copy
      FROM statement
      WHERE is_copy OR starts_with(text, 'SELECT last_value, is_called FROM ')
         OR (starts_with(text, 'SELECT seqrelid, ') AND contains(text, ' pg_get_sequence_data(seqrelid) '))) s
  ON s.statement_id = u.statement_id
WHERE s.is_copy <> starts_with(u.element, 'sequence:')
  AND u.outcome = 'ok'
  AND u.operation = 'read'
  AND list_contains($known::VARCHAR[], u.application)
  AND u.element IN (SELECT unnest($elements::VARCHAR[]))
  AND u.last_at >= $since::TIMESTAMPTZ
  AND u.day >= ($since::TIMESTAMPTZ)::DATE - 1
GROUP BY u.node, u.element, u.source, u.application, u.hour
ORDER BY u.node, u.element, u.source, began_at
