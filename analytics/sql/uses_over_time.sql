-- Uses since a moment, in steps of some seconds, by outcome: of the elements named, or of all.
SELECT time_bucket(to_seconds($step_seconds), occurred_at) AS start,
       outcome,
       count(*)::BIGINT                                    AS uses
FROM use
WHERE occurred_at >= $since::TIMESTAMPTZ
  AND day >= ($since::TIMESTAMPTZ)::DATE
  AND ($elements::VARCHAR[] IS NULL OR list_contains($elements::VARCHAR[], element))
GROUP BY ALL
ORDER BY 1, 2
