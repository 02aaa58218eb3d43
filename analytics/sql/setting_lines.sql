-- What was read of each node's log by who knows the lines about its settings, and when such lines stand in it: of a
-- reload of the configuration, and of a change of a setting that decides on failed statements. Of batches without
-- such lines, which are nearly all, those that overlap or touch are one row.
WITH batch AS (
    SELECT node, covered_from, covered_to, reloads, coalesce(setting_changes, []) AS setting_changes
    FROM coverage
    WHERE reloads IS NOT NULL
      AND covered_to >= $since::TIMESTAMPTZ
),
silent AS (
    SELECT node, covered_from, covered_to,
           max(covered_to) OVER (earlier ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS read_to,
           max(covered_to) OVER (earlier ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS ended
    FROM batch
    WHERE len(reloads) = 0 AND len(setting_changes) = 0
    WINDOW earlier AS (PARTITION BY node ORDER BY covered_from, covered_to)
)
SELECT node, covered_from, covered_to, reloads, setting_changes
FROM batch
WHERE len(reloads) > 0 OR len(setting_changes) > 0
UNION ALL
-- Where a batch begins after all before it ended, a stretch begins, and the one before it ended.
SELECT node, covered_from,
       lead(read_to, 1, ended) OVER (PARTITION BY node ORDER BY covered_from, covered_to), [], []
FROM silent
WHERE coalesce(covered_from > read_to, true)
ORDER BY node, covered_from
