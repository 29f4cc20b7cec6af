-- Adds the queue ?2 of a topic of ?3, which takes keys over from ?4 at its offset ?5; then reads its id. Safe: run under the
-- lock of queue_grow_lock.
INSERT INTO outbox_queue (topic_id, number, siblings, next_offset, first_offset, parent_id, split_offset)
VALUES (?1, ?2, ?3, ?5, ?5, ?4, ?5);
SELECT id FROM outbox_queue WHERE topic_id = ?1 AND number = ?2
