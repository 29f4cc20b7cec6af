-- A half message with its content, which one that has ended has no more. Safe: reads only.
SELECT state, checks::bigint, topic, message_key, payload, headers::text,
       (extract(epoch FROM created_at) * 1000000)::bigint, due_after, due_at
  FROM outbox_half
 WHERE message_id = $1
