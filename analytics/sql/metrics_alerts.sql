-- Alerts ever raised, by severity and rule.
SELECT severity, rule, count(*)::BIGINT AS alerts
FROM alert
GROUP BY ALL
ORDER BY ALL
