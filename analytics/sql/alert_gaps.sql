-- Times since a moment that lie between two stretches of a node's log, or whose lines are known to be lost.
-- How many lines were lost is null where nobody can know.
WITH stretch AS (
    SELECT node,
           covered_from,
           max(covered_to) OVER (
               PARTITION BY node ORDER BY covered_from, covered_to
               ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS read_to
    FROM coverage
    WHERE covered_from IS NOT NULL
)
SELECT node, read_to AS gap_from, covered_from AS gap_to, NULL::BIGINT AS lines
FROM stretch
WHERE covered_from > read_to
  AND covered_from >= $since::TIMESTAMPTZ
UNION ALL
SELECT node, gap_from, max(gap_to), sum(lines)::BIGINT
FROM gap
WHERE gap_to >= $since::TIMESTAMPTZ
GROUP BY node, gap_from
ORDER BY 1, 2
