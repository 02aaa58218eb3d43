-- When lines of each node's log are lost: what else was read of that time does not cover it.
SELECT DISTINCT node, gap_from, gap_to
FROM gap
WHERE gap_from <= $until::TIMESTAMPTZ
  AND gap_to >= $since::TIMESTAMPTZ
ORDER BY node, gap_from
