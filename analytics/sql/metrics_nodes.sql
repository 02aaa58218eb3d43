-- Up to when each node's log was read, and when the newest record in it was, at most.
SELECT node,
       max(covered_to)                      AS read_to,
       max(covered_to) FILTER (records > 0) AS record_at
FROM coverage
WHERE covered_to IS NOT NULL
GROUP BY node
ORDER BY node
