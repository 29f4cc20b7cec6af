-- Declares a topic. Safe: one that is there stays as it is, and is not locked.
INSERT INTO outbox_topic (name, initial_queues)
SELECT k.name, k.queues
  FROM (SELECT ?1 AS name, ?2 AS queues) AS k
 WHERE NOT EXISTS (SELECT 1 FROM outbox_topic t WHERE t.name = ?1)
    ON DUPLICATE KEY UPDATE outbox_topic.id = outbox_topic.id
