-- Every checkpoint, newest first, with how many elements in the attic were renamed after it.
SELECT c.name, c.note, c.created_at, c.created_by, c.moment,
       (SELECT count(*) FROM pgattic.element e
        WHERE e.deprecated_at IS NOT NULL AND e.restored_at IS NULL AND e.moment > c.moment)::integer AS in_attic_since
FROM pgattic.checkpoint c
ORDER BY c.moment DESC
