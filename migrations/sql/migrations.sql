-- Every migration with how many of its elements are still in the attic, newest first.
SELECT m.id, m.state, m.reason, m.applied_by, m.applied_at, m.rolled_back_at, m.failure,
       count(e.*)::integer AS elements,
       count(e.*) FILTER (WHERE e.deprecated_at IS NOT NULL AND e.restored_at IS NULL)::integer AS in_attic
FROM pgattic.migration m
LEFT JOIN pgattic.element e ON e.migration_id = m.id
GROUP BY m.id
ORDER BY m.applied_at DESC NULLS LAST, m.id DESC
