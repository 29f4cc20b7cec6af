-- Records an outcome unless there is one, and has what is there on the disk when this transaction has committed: InnoDB shows
-- a transaction before its log has reached it. Safe: the primary key lets one in, and this waits for one that is not
-- committed yet, as long as half_local_patience says; what is there stays as it is.
INSERT INTO outbox_half_local (message_id, outcome) VALUES (?1, ?2) ON DUPLICATE KEY UPDATE outcome = outcome;
UPDATE outbox_flush SET flushes = flushes + 1 WHERE slot = CONNECTION_ID() % 64
