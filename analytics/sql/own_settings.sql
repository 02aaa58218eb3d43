-- Which settings some role or database had for itself at each look, and how old the oldest session of a client was;
-- nothing of a node where none ever had any.
WITH look AS (
    SELECT node, sampled_at, coalesce(overridden, []) AS overridden, oldest_session_at
    FROM sample
    WHERE failure IS NULL
      AND settings_since IS NOT NULL
      AND sampled_at >= $since::TIMESTAMPTZ
      AND day >= ($since::TIMESTAMPTZ)::DATE
)
SELECT *
FROM look
WHERE node IN (SELECT node FROM look WHERE len(overridden) > 0)
ORDER BY node, sampled_at
