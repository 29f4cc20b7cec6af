-- Notes that group $2 has handled message $1, whatever became of the message meanwhile. Safe: the unique key makes a second
-- time nothing. Committed by itself, before anybody looks whether it was the last one that was missing.
INSERT INTO outbox_confirmation (message_id, group_name) VALUES ($1, $2) ON CONFLICT (message_id, group_name) DO NOTHING
