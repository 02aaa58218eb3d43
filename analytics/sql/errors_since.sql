-- Failed uses of each tracked element since a moment.
SELECT element, count(*)::BIGINT AS errors, max(occurred_at) AS last_at
FROM used
WHERE outcome = 'error' AND occurred_at >= $since AND day >= CAST($since AS DATE)
GROUP BY element
ORDER BY element
