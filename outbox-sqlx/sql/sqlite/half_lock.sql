-- A half message that is to change. Safe: the transaction was begun with the write lock, so nobody else changes it.
SELECT state, checks, topic, message_key, payload, headers, created_at, due_after, due_at
  FROM outbox_half
 WHERE message_id = $1
