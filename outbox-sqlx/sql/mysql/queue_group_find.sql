-- A group's id. Safe: reads only.
SELECT id FROM outbox_group WHERE name = ?1
