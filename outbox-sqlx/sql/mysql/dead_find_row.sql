-- The row of a dead letter, by its message's id. Safe: reads only.
SELECT id FROM outbox_dead WHERE message_id = ? ORDER BY id LIMIT 1
