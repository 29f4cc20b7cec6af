-- A group's id. Safe: reads only.
SELECT id::bigint FROM outbox_group WHERE name = $1
