-- When each node was last looked at and answered, and since when it has not, as far as samples tell.
SELECT node,
       max(sampled_at) FILTER (failure IS NULL)     AS seen_at,
       max(sampled_at) FILTER (failure IS NOT NULL) AS failed_at
FROM sample
GROUP BY node
ORDER BY node
