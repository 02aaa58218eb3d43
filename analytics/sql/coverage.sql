-- When each node's log was read for a source, overlapping and touching stretches joined. A node that was
-- ever read gets at least one row, with nulls where nothing of it falls into the window.
WITH batch AS (
    SELECT node,
           greatest(covered_from, $since::TIMESTAMPTZ) AS covered_from,
           least(covered_to, $until::TIMESTAMPTZ)      AS covered_to
    FROM coverage
    WHERE list_contains(sources, $source)
      AND covered_from <= $until::TIMESTAMPTZ
      AND covered_to >= $since::TIMESTAMPTZ
),
marked AS (
    SELECT *,
           coalesce(covered_from > max(covered_to) OVER (
               PARTITION BY node ORDER BY covered_from, covered_to
               ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), true) AS starts_anew
    FROM batch
),
numbered AS (
    SELECT *, sum(starts_anew::INTEGER) OVER (
               PARTITION BY node ORDER BY covered_from, covered_to ROWS UNBOUNDED PRECEDING) AS stretch
    FROM marked
),
joined AS (
    SELECT node, min(covered_from) AS covered_from, max(covered_to) AS covered_to
    FROM numbered
    GROUP BY node, stretch
)
SELECT n.node, j.covered_from, j.covered_to
FROM (SELECT DISTINCT node FROM coverage) n
LEFT JOIN joined j ON j.node = n.node
ORDER BY n.node, j.covered_from
