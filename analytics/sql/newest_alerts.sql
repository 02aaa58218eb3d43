-- The newest alerts; those of the same cause stand in one row.
SELECT element,
       severity,
       max(occurred_at)              AS occurred_at,
       arg_max(message, occurred_at) AS message,
       count(*)::BIGINT              AS times
FROM alert
GROUP BY element, severity, rule, role, application, client, statement_id, node
ORDER BY max(occurred_at) DESC, element
LIMIT $at_most
