-- Records an outcome unless there is one. Safe: the primary key lets one in, and this
-- the write lock is this transaction's.
INSERT INTO outbox_half_local (message_id, outcome) VALUES ($1, $2) ON CONFLICT (message_id) DO NOTHING
