-- Lines that told of a use, by element: of the elements used last, as many as are wanted; the rest is put together.
WITH newest AS (
    SELECT element FROM used GROUP BY element ORDER BY max(occurred_at) DESC, element LIMIT $at_most
)
SELECT coalesce(n.element, '(others)') AS element, u.outcome, u.source, count(*)::BIGINT AS uses
FROM used u
LEFT JOIN newest n ON n.element = u.element
GROUP BY ALL
ORDER BY ALL
