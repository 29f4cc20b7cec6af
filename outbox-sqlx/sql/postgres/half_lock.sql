-- A half message, locked to the end of the transaction, so that of two that want to end it one sees what the other did.
-- Safe: one row by its primary key.
SELECT state, checks::bigint, topic, message_key, payload, headers::text,
       (extract(epoch FROM created_at) * 1000000)::bigint, due_after, due_at
  FROM outbox_half
 WHERE message_id = $1
   FOR UPDATE
