-- A topic's due messages in their order. Safe: run under queue_promote_lock.
SELECT id, message_id, message_key, payload, headers, TIMESTAMPDIFF(MICROSECOND, '1970-01-01', created_at)
  FROM outbox_delayed FORCE INDEX (outbox_delayed_due)
 WHERE topic_id = ?1
   AND due_at <= UTC_TIMESTAMP(6)
 ORDER BY due_at, id
 LIMIT ?2
