-- How many servers streamed from each node at each look since a moment, as far as it answered.
SELECT sampled_at, node, CASE WHEN failure IS NULL THEN coalesce(standbys, 0) ELSE 0 END AS standbys
FROM sample
WHERE sampled_at >= $since::TIMESTAMPTZ
  AND day >= ($since::TIMESTAMPTZ)::DATE
ORDER BY sampled_at
