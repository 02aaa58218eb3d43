INSERT INTO pgattic.element
    (migration_id, position, kind, schema_name, parent_name, former_name, deprecated_name, object_oid,
     column_number, former_comment, counters, deprecated_at)
VALUES
    (%(migration_id)s, %(position)s, %(kind)s, %(schema)s, %(parent)s, %(former_name)s, %(deprecated_name)s,
     %(oid)s, %(column_number)s, %(comment)s, %(counters)s, now())
