-- Writes something, so that this transaction's commit reaches the disk, and with it all that it has seen. InnoDB shows a
-- transaction before its log is there, and a crash may still undo it: who is told "done" must not be told too early. Safe:
-- a counter that nobody reads; sixteen of them, so that few wait for each other.
UPDATE idempotency_flush SET duplicates = duplicates + 1 WHERE id = ?
