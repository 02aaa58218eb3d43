-- The newest alerts, all or those of elements that a pattern fits.
SELECT occurred_at, raised_at, rule, severity, element, message, role, database, application, client, node
FROM alert
WHERE ($element::VARCHAR IS NULL OR element GLOB $element)
  AND ($since::TIMESTAMPTZ IS NULL OR occurred_at >= $since::TIMESTAMPTZ)
ORDER BY occurred_at DESC, raised_at DESC, element
LIMIT $at_most
