-- How often each element was used since a moment, tracked or not.
-- An hour counts whole where its last use is after the moment: rather a use too many than one too few.
SELECT element,
       sum(uses)::BIGINT                                               AS uses,
       coalesce(sum(uses) FILTER (implicit), 0)::BIGINT                AS implicit_uses,
       max(last_at)                                                    AS last_at
FROM used_hourly
WHERE last_at >= $since::TIMESTAMPTZ
  AND day >= ($since::TIMESTAMPTZ)::DATE - 1
GROUP BY element
ORDER BY element
