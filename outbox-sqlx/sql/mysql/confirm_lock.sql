-- Locks what waits under message id ?1, against the sweep and other confirmations. Safe: a row or none, in most cases, and
-- no gap between rows, as the transaction is READ COMMITTED.
SELECT id, CAST(at_least AS SIGNED), confirm_groups
  FROM outbox_awaiting FORCE INDEX (outbox_awaiting_message_id)
 WHERE message_id = ?1
 ORDER BY id
   FOR UPDATE
