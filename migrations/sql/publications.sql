-- Published tables with the columns published; a rename stops a whole subscription, and renaming back does
-- not heal it.
SELECT t.schemaname AS schema,
       t.tablename AS name,
       array_agg(DISTINCT t.pubname::text ORDER BY t.pubname::text) AS publications,
       array_agg(DISTINCT a.name) AS columns
FROM pg_publication_tables t, unnest(t.attnames) AS a (name)
GROUP BY 1, 2
