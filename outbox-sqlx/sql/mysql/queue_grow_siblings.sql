-- Tells appending that the topic has ?2 queues now. Safe: run under the lock of queue_grow_lock.
UPDATE outbox_queue FORCE INDEX (outbox_queue_number) SET siblings = ?2 WHERE topic_id = ?1
