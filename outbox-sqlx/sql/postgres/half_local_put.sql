-- Records an outcome unless there is one. Safe: the primary key lets one in, and this
-- waits for one that is not committed yet, as long as half_local_patience says.
INSERT INTO outbox_half_local (message_id, outcome) VALUES ($1, $2) ON CONFLICT (message_id) DO NOTHING
