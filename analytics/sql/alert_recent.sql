-- The uses since a moment, before a position in a log file.
SELECT * EXCLUDE (day)
FROM used
WHERE occurred_at >= $since::TIMESTAMPTZ
  AND day >= ($since::TIMESTAMPTZ)::DATE
  AND NOT (origin IS NOT DISTINCT FROM $origin::VARCHAR AND log_offset >= $log_offset)
