-- What was read of each node's log by who knows the lines about its settings, and when such lines stand in it: of a
-- reload of the configuration, and of a change of a setting that decides on failed statements.
SELECT node, covered_from, covered_to, reloads, setting_changes
FROM coverage
WHERE reloads IS NOT NULL
  AND covered_to >= $since::TIMESTAMPTZ
ORDER BY node, covered_from
