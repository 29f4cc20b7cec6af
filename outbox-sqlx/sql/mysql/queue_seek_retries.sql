-- Forgets a queue's retries, which are below or come again. Safe: in the transaction of queue_seek.
DELETE r FROM outbox_group_retry AS r FORCE INDEX (PRIMARY) WHERE r.group_id = ?1 AND r.queue_id = ?2
