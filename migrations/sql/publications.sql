-- Published tables; a rename stops a whole subscription, and renaming back does not heal it.
SELECT schemaname AS schema, tablename AS name, array_agg(pubname::text ORDER BY pubname) AS publications
FROM pg_publication_tables
GROUP BY 1, 2
