-- Locks one message that waits, against the sweep and other confirmations. Safe: one row by its key, and no gap, as the
-- transaction is READ COMMITTED; nothing when it waits no longer.
SELECT CAST(at_least AS SIGNED), confirm_groups FROM outbox_awaiting FORCE INDEX (PRIMARY) WHERE id = ?1 FOR UPDATE
