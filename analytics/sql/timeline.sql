-- Uses by the hour, of one element or of all that are or were in the attic.
SELECT date_trunc('hour', occurred_at) AS hour,
       element,
       outcome,
       count(*)::BIGINT                AS uses
FROM use
WHERE $element::VARCHAR IS NULL OR element = $element
GROUP BY ALL
ORDER BY 1, 2, 3
