-- When each node's log was read for each source, overlapping and touching stretches joined. A node that was ever
-- read gets at least one row, with nulls where nothing of it falls into the window. Lines that are no message we
-- know may be uses that were not recognised, but never failed statements: those have an SQLSTATE. The source `read`
-- is all that was read, whatever the settings were, `understood` what of it has no such line. What was read after a
-- server took over the name of a node (`nodes` and `moments`) may be its own log, and tells nothing of the one before.
WITH takeover AS (
    SELECT unnest($nodes::VARCHAR[]) AS node, unnest($moments::TIMESTAMPTZ[]) AS at
),
own AS (
    SELECT c.node, c.sources, c.unrecognised, c.covered_to,
           greatest(c.covered_from,
                    (SELECT max(t.at) FROM takeover t WHERE t.node = c.node AND t.at <= c.read_at)) AS covered_from
    FROM coverage c
    WHERE c.covered_from <= $until::TIMESTAMPTZ
      AND c.covered_to >= $since::TIMESTAMPTZ
),
batch AS (
    SELECT node,
           unnest(sources || ['read', 'understood'])   AS source,
           coalesce(unrecognised, 0)                   AS unrecognised,
           greatest(covered_from, $since::TIMESTAMPTZ) AS covered_from,
           least(covered_to, $until::TIMESTAMPTZ)      AS covered_to
    FROM own
    WHERE covered_from <= covered_to
),
marked AS (
    SELECT *,
           max(covered_to) OVER (earlier ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS read_to,
           max(covered_to) OVER (earlier ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS ended
    FROM batch
    WHERE source IN ('error', 'read') OR unrecognised = 0
    WINDOW earlier AS (PARTITION BY node, source ORDER BY covered_from, covered_to)
),
-- Where a batch begins after all before it ended, a stretch begins, and the one before it ended.
joined AS (
    SELECT node, source, covered_from,
           lead(read_to, 1, ended) OVER (
               PARTITION BY node, source ORDER BY covered_from, covered_to) AS covered_to
    FROM marked
    WHERE coalesce(covered_from > read_to, true)
)
SELECT n.node, j.source, j.covered_from, j.covered_to
FROM (SELECT DISTINCT node FROM coverage) n
LEFT JOIN joined j ON j.node = n.node
ORDER BY n.node, j.source, j.covered_from
