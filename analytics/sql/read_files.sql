-- The log files of each node that were ever read.
SELECT DISTINCT node, path FROM coverage WHERE path IS NOT NULL
