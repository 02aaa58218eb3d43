-- What was last said of each thing that is no use: a state of an element, of a node, of the database.
SELECT rule, element, node, occurred_at, max(raised_at) AS raised_at
FROM alert
WHERE origin IS NULL
GROUP BY rule, element, node, occurred_at
