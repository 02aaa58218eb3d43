-- Who ever used which element, before a position in a log file.
SELECT DISTINCT element, role, application, client
FROM used
WHERE NOT (origin IS NOT DISTINCT FROM $origin::VARCHAR AND log_offset >= $log_offset)
