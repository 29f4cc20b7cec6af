-- Lets one process at a time bring a topic's due messages into its queues. Safe: nobody waits for it.
SELECT 1 FROM outbox_topic WHERE id = ?1 FOR UPDATE SKIP LOCKED
