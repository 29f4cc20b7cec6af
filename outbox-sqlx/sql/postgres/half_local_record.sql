-- Records that the local work of a half message is done, in its own transaction. Safe: the primary key lets one outcome in;
-- where there is one already no row is written, and the caller is told.
INSERT INTO outbox_half_local (message_id, outcome) VALUES ($1, 'committed') ON CONFLICT (message_id) DO NOTHING
