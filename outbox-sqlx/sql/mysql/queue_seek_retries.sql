-- Forgets a queue's retries, which are below or come again. Safe: in the transaction of queue_seek.
DELETE FROM outbox_group_retry WHERE group_id = ?1 AND queue_id = ?2
