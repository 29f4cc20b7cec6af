-- Lets one process at a time bring a topic's due messages into its queues. Safe: nobody waits for it.
SELECT count(*) FROM outbox_topic WHERE id = $1
