-- The same from pg_stat_statements, which knows a role and no application: calls between two samples.
WITH copies AS (
    SELECT DISTINCT statement_id, starts_with(upper(ltrim(text)), 'COPY ') AS is_copy
    FROM statement
    WHERE (is_copy AND regexp_matches(text, '\sTO\s', 'i'))
       OR starts_with(text, 'SELECT last_value, is_called FROM ')
       OR (starts_with(text, 'SELECT seqrelid, ') AND contains(text, ' pg_get_sequence_data(seqrelid) '))
),
counted AS (
    -- A statement that uses an element in several ways has a row for each of them.
    SELECT node, element, role, statement_id, sampled_at, max(calls) AS calls
    FROM statement_counter
    JOIN copies USING (statement_id)
    WHERE list_contains($known::VARCHAR[], role)
      AND element IN (SELECT unnest($elements::VARCHAR[]))
      AND is_copy <> starts_with(element, 'sequence:')
      AND sampled_at >= $since::TIMESTAMPTZ
      AND day >= ($since::TIMESTAMPTZ)::DATE
    GROUP BY ALL
),
called AS (
    SELECT c.node,
           c.element,
           c.role AS reader,
           lag(c.sampled_at) OVER earlier AS began_at,
           c.calls - lag(c.calls) OVER earlier AS scans
    FROM counted c
    WINDOW earlier AS (PARTITION BY c.node, c.element, c.role, c.statement_id ORDER BY c.sampled_at)
)
SELECT node, element, reader, began_at, scans::BIGINT AS scans
FROM called
WHERE scans > 0
ORDER BY node, element, began_at
