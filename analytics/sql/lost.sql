-- The times of which each node's log has lost lines, in order; they may overlap.
SELECT node,
       greatest(gap_from, $since::TIMESTAMPTZ) AS lost_from,
       least(gap_to, $until::TIMESTAMPTZ)      AS lost_to
FROM gap
WHERE gap_from < $until::TIMESTAMPTZ
  AND gap_to > $since::TIMESTAMPTZ
ORDER BY node, lost_from
