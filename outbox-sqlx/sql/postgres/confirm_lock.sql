-- Locks one message that waits, against the sweep and other confirmations. Safe: one row by its key; nothing when it waits no
-- longer.
SELECT at_least::bigint, confirm_groups::text FROM outbox_awaiting WHERE id = $1 FOR UPDATE
