-- How long a call of each statement that uses an element took on average, in milliseconds, by role: all calls that the
-- nodes' pg_stat_statements had counted at their newest looks.
SELECT role, statement_id, sum(total_ms) / sum(calls) AS mean_ms
FROM (
    SELECT node, role, statement_id,
           max_by(calls, sampled_at)    AS calls,
           max_by(total_ms, sampled_at) AS total_ms
    FROM statement_counter
    WHERE element = $element
      AND operation IS NOT NULL
      AND total_ms IS NOT NULL
    GROUP BY node, role, statement_id
)
GROUP BY role, statement_id
HAVING sum(calls) > 0
