-- How many distinct statements may have used anything: those nobody could parse, and DO blocks, whose body is
-- a constant and is not kept.
SELECT count(DISTINCT statement_id)::BIGINT AS statements
FROM statement
WHERE NOT is_parsed
   OR regexp_matches(text, '(^|;)\s*DO\s', 'i')
