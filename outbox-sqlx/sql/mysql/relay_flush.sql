-- Commits something, and with it, on the disk, whatever was committed before: run after a page was read and before any
-- of it is published. Safe: a row that nobody reads, found by its primary key; its lock ends with this statement.
UPDATE outbox_flush SET flushes = flushes + 1 WHERE slot = CONNECTION_ID() % 64
