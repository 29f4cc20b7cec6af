-- Records that the local work of a half message is done, in its own transaction. Safe: the primary key lets one outcome in and
-- refuses a second one.
INSERT INTO outbox_half_local (message_id, outcome) VALUES (?1, 'committed')
