-- First step of a redrive: makes the shard's owner read again from the row that comes back. Safe: one row, in a
-- transaction that holds the write lock.
UPDATE outbox_shard SET rewind_to = min(coalesce(rewind_to, $2), $2) WHERE shard = $1
