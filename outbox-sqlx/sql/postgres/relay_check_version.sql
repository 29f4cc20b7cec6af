-- The schema's version, and whether this role may ask the id sequence how far it is: without that right
-- newer servers answer NULL, and the relay would take an outbox for empty. Safe: read only.
SELECT coalesce(max(version), 0) AS version,
       has_sequence_privilege(pg_get_serial_sequence('outbox', 'id'), 'SELECT, USAGE') AS sequence_readable
  FROM outbox_schema
