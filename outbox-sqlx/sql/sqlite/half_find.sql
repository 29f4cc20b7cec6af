-- A half message with its content, which one that has ended has no more. Safe: reads only.
SELECT state, checks, topic, message_key, payload, headers, created_at, due_after, due_at
  FROM outbox_half
 WHERE message_id = $1
