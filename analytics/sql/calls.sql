-- What each node counted of statements that use some elements, or may use them (or anything: `element` is null),
-- since a moment; looks in between that say the same stand in one row, as often as `looks` says.
WITH texts AS (
    SELECT statement_id,
           bool_or(starts_with(upper(ltrim(text)), 'COPY ') AND regexp_matches(text, '\sTO\s', 'i')
                   OR regexp_matches(text, '^\s*LOCK\s+TABLE\s.*\sIN\s+ACCESS\s+SHARE\s+MODE', 'i')
                   OR regexp_matches(text, '^\s*SELECT\s+last_value,\s+is_called\s+FROM\s', 'i')
                   OR (starts_with(text, 'SELECT seqrelid, ') AND contains(text, ' pg_get_sequence_data('))) AS is_dump
    FROM statement
    GROUP BY statement_id
)
SELECT c.node,
       c.element,
       c.statement_id,
       c.role,
       c.operation,
       bool_and(c.after_rename)                 AS after_rename,
       -- COPY can write, too: COPY (DELETE … RETURNING …) TO.
       coalesce(any_value(t.is_dump), false)
           AND c.operation IS DISTINCT FROM 'write' AS is_dump,
       c.calls,
       min(c.sampled_at)                        AS first_at,
       max(c.sampled_at)                        AS last_at,
       count(*)::BIGINT                         AS looks
FROM (
    -- One statement can use an element in several ways; it was called once for all of them.
    SELECT node, element, statement_id, role,
           CASE WHEN bool_or(operation = 'write') THEN 'write' ELSE min(operation) END AS operation,
           coalesce(bool_and(after_rename), false) AS after_rename,
           max(calls)                              AS calls,
           sampled_at
    FROM statement_counter
    -- list_contains() would go through the list for every row.
    WHERE (element IS NULL OR element IN (SELECT unnest($elements::VARCHAR[])))
      AND sampled_at >= $since::TIMESTAMPTZ
      AND day >= ($since::TIMESTAMPTZ)::DATE
    GROUP BY node, element, statement_id, role, operation IS NULL, sampled_at
) c
JOIN sample s ON s.node = c.node AND s.sampled_at = c.sampled_at
LEFT JOIN texts t ON t.statement_id = c.statement_id
GROUP BY c.node, c.element, c.statement_id, c.role, c.operation, c.calls, s.statements_reset_at
ORDER BY c.node, c.element, c.statement_id, c.role, c.operation, first_at
