-- To when the log of each node was read.
SELECT node, max(covered_to) AS read_to
FROM coverage
GROUP BY node
ORDER BY node
