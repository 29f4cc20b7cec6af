-- Lets one process at a time bring a topic's due messages into its queues. Safe: nobody waits for it.
SELECT count(*) FROM (SELECT FROM outbox_topic WHERE id = $1 FOR NO KEY UPDATE SKIP LOCKED) AS mine
