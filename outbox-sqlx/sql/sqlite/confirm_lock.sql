-- One message that waits. Safe: the transaction holds the write lock.
SELECT at_least, confirm_groups FROM outbox_awaiting WHERE id = $1
