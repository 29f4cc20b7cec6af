-- Notes where a queue begins now, at the first message from ?2 on. Safe: run under queue_purge_lock.
UPDATE outbox_queue
   SET first_offset = COALESCE((SELECT m.queue_offset FROM outbox_queue_message m
                                 WHERE m.queue_id = ?1 AND m.queue_offset >= ?2
                                 ORDER BY m.queue_offset LIMIT 1), next_offset)
 WHERE id = ?1
