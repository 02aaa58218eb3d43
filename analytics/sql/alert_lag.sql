-- Up to when each node's log was read.
SELECT node, max(covered_to) AS covered_to
FROM coverage
WHERE covered_to IS NOT NULL
GROUP BY node
ORDER BY node
