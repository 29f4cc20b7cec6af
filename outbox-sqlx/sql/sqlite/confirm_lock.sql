-- What waits under message id $1. Safe: the transaction holds the write lock.
SELECT id, at_least, confirm_groups FROM outbox_awaiting WHERE message_id = $1 ORDER BY id
