-- Locks what waits under message id $1, against the sweep and other confirmations. Safe: a row or none, in most cases.
SELECT id, at_least::bigint, confirm_groups::text FROM outbox_awaiting WHERE message_id = $1 ORDER BY id FOR UPDATE
