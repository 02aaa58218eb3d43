-- When each node's log was read for each source, overlapping and touching stretches joined. A node that was ever
-- read gets at least one row, with nulls where nothing of it falls into the window. Lines that are no message we
-- know may be uses that were not recognised, but never failed statements: those have an SQLSTATE. The source `read`
-- is all that was read, whatever the settings were.
WITH batch AS (
    SELECT node,
           unnest(list_append(sources, 'read'))        AS source,
           coalesce(unrecognised, 0)                   AS unrecognised,
           greatest(covered_from, $since::TIMESTAMPTZ) AS covered_from,
           least(covered_to, $until::TIMESTAMPTZ)      AS covered_to
    FROM coverage
    WHERE covered_from <= $until::TIMESTAMPTZ
      AND covered_to >= $since::TIMESTAMPTZ
),
marked AS (
    SELECT *,
           coalesce(covered_from > max(covered_to) OVER (
               PARTITION BY node, source ORDER BY covered_from, covered_to
               ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), true) AS starts_anew
    FROM batch
    WHERE source IN ('error', 'read') OR unrecognised = 0
),
numbered AS (
    SELECT *, sum(starts_anew::INTEGER) OVER (
               PARTITION BY node, source ORDER BY covered_from, covered_to ROWS UNBOUNDED PRECEDING) AS stretch
    FROM marked
),
joined AS (
    SELECT node, source, min(covered_from) AS covered_from, max(covered_to) AS covered_to
    FROM numbered
    GROUP BY node, source, stretch
)
SELECT n.node, j.source, j.covered_from, j.covered_to
FROM (SELECT DISTINCT node FROM coverage) n
LEFT JOIN joined j ON j.node = n.node
ORDER BY n.node, j.source, j.covered_from
