-- Marks elements as restored, and their migrations as rolled back where nothing of them is in the attic any more.
WITH restored AS (
    UPDATE pgattic.element e
    SET restored_at = clock_timestamp()
    FROM unnest(%(migration_ids)s::text[], %(positions)s::integer[]) AS r (migration_id, position)
    WHERE e.migration_id = r.migration_id AND e.position = r.position
    RETURNING e.migration_id, e.position
)
UPDATE pgattic.migration m
SET state = 'rolled_back', rolled_back_at = clock_timestamp()
WHERE m.id IN (SELECT migration_id FROM restored)
  -- The statement sees the elements as they were before it, so those restored just now are taken off.
  AND NOT EXISTS (
      SELECT FROM pgattic.element e
      WHERE e.migration_id = m.id AND e.restored_at IS NULL
        AND NOT EXISTS (SELECT FROM restored r WHERE (r.migration_id, r.position) = (e.migration_id, e.position))
  )
