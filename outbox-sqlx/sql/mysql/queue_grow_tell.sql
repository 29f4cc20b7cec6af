-- Makes the members of a topic's groups look. Safe: only a counter. What is read to find them is not locked, because an
-- UPDATE of one table reads others without locks in READ COMMITTED.
UPDATE outbox_group
   SET changes = changes + 1
 WHERE id IN (SELECT g.group_id
                FROM outbox_group_queue g
                JOIN outbox_queue q ON q.id = g.queue_id
               WHERE q.topic_id = ?1)
