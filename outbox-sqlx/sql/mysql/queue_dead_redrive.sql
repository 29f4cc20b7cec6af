-- Locks a dead letter and gives it back to the group's retries, in the queue ?4 where its key is now, with no attempts
-- counted. Safe: what is there already stays as it is; the dead letter's row is locked before the retry's, as an owner
-- does that buries one.
SELECT 1 FROM outbox_group_dead WHERE group_id = ?1 AND queue_id = ?2 AND queue_offset = ?3 FOR UPDATE;
INSERT INTO outbox_group_retry
       (group_id, queue_id, queue_offset, message_id, message_key, payload, headers, created_at, attempts, due_at, last_error)
SELECT d.group_id, ?4, d.queue_offset, d.message_id, d.message_key, d.payload, d.headers, d.created_at, 0,
       UTC_TIMESTAMP(6), d.last_error
  FROM outbox_group_dead d
 WHERE d.group_id = ?1
   AND d.queue_id = ?2
   AND d.queue_offset = ?3
    ON DUPLICATE KEY UPDATE outbox_group_retry.queue_offset = outbox_group_retry.queue_offset
