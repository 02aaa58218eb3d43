-- The same from pg_stat_statements, which knows a role and no application: calls between two samples.
WITH copies AS (
    SELECT DISTINCT statement_id FROM statement
    WHERE starts_with(upper(ltrim(text)), 'COPY ') AND regexp_matches(text, '\sTO\s', 'i')
),
called AS (
    SELECT c.node,
           c.element,
           c.role AS reader,
           lag(c.sampled_at) OVER earlier AS began_at,
           c.calls - lag(c.calls) OVER earlier AS scans
    FROM statement_counter c
    JOIN copies USING (statement_id)
    WHERE list_contains($known::VARCHAR[], c.role)
      AND list_contains($elements::VARCHAR[], c.element)
      AND c.sampled_at >= $since::TIMESTAMPTZ
    WINDOW earlier AS (PARTITION BY c.node, c.element, c.role, c.statement_id ORDER BY c.sampled_at)
)
SELECT node, element, reader, began_at, scans::BIGINT AS scans
FROM called
WHERE scans > 0
ORDER BY node, element, began_at
