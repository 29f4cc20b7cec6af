-- A page of a group's dead letters, after queue ?2 and offset ?3, perhaps of one topic ?4 and one key ?5. Safe: reads
-- only, bounded by ?6. (Places are compared by hand, because neither server walks an index by a comparison of rows.)
SELECT t.name, q.number, d.queue_id, d.queue_offset, d.message_id, d.message_key, d.attempts, d.last_error,
       TIMESTAMPDIFF(MICROSECOND, '1970-01-01', d.created_at), TIMESTAMPDIFF(MICROSECOND, '1970-01-01', d.died_at),
       LENGTH(d.payload)
  FROM outbox_group_dead d
 STRAIGHT_JOIN outbox_queue q ON q.id = d.queue_id
 STRAIGHT_JOIN outbox_topic t ON t.id = q.topic_id
 WHERE d.group_id = ?1
   AND (d.queue_id > ?2 OR d.queue_id = ?2 AND d.queue_offset > ?3)
   AND (?4 IS NULL OR t.name = ?4)
   AND (?5 IS NULL OR d.message_key = ?5)
 ORDER BY d.queue_id, d.queue_offset
 LIMIT ?6
