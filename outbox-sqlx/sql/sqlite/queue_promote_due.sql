-- A topic's due messages in their order. Safe: run under queue_promote_lock.
SELECT id, message_id, message_key, payload, headers, created_at
  FROM outbox_delayed
 WHERE topic_id = $1
   AND due_at <= CAST(unixepoch('subsec') * 1000 AS INTEGER) * 1000
 ORDER BY due_at, id
 LIMIT $2
