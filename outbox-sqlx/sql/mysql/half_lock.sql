-- A half message, locked to the end of the transaction, so that of two that want to end it one sees what the other did.
-- Safe: one row by its primary key.
SELECT state, checks, topic, message_key, payload, headers, TIMESTAMPDIFF(MICROSECOND, '1970-01-01', created_at), due_after, due_at
  FROM outbox_half
 WHERE message_id = ?1
   FOR UPDATE
