-- A topic's due messages in their order. Safe: run under queue_promote_lock.
SELECT id, message_id, message_key, payload, headers::text, (extract(epoch FROM created_at) * 1000000)::bigint
  FROM outbox_delayed
 WHERE topic_id = $1
   AND due_at <= clock_timestamp()
 ORDER BY due_at, id
 LIMIT $2
