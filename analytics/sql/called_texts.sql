-- The normalised texts of statements that pg_stat_statements counted on the attic.
SELECT statement_id, any_value(text) AS text
FROM statement
SEMI JOIN statement_counter USING (statement_id)
GROUP BY statement_id
