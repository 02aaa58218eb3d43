-- When each rule last spoke about what, before a position in a log file.
SELECT rule, element, role, application, client, statement_id, epoch_us(max(occurred_at)) AS occurred_us
FROM alert
WHERE element IS NOT NULL
  AND NOT (origin IS NOT DISTINCT FROM $origin::VARCHAR AND coalesce(log_offset >= $log_offset, false))
GROUP BY ALL
