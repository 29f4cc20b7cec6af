-- A page of a group's dead letters after queue ?2 and offset ?3, without their content, those of a key in their order. Of one
-- topic ?4, key ?5, message ?6, died since ?7 and before ?8 (microseconds since 1970), each where it is not NULL. Safe:
-- reads only, bounded by ?9. (Places are compared by hand, because neither server walks
-- an index by a comparison of rows.)
SELECT d.queue_id, d.queue_offset, d.message_id, t.name, d.message_key, d.attempts, d.last_error, 'skipped',
       TIMESTAMPDIFF(MICROSECOND, '1970-01-01', d.created_at), TIMESTAMPDIFF(MICROSECOND, '1970-01-01', d.died_at),
       LENGTH(d.payload),
       false,
       q.number
  FROM outbox_group_dead d
 STRAIGHT_JOIN outbox_queue q ON q.id = d.queue_id
 STRAIGHT_JOIN outbox_topic t ON t.id = q.topic_id
 WHERE d.group_id = ?1
   AND (d.queue_id > ?2 OR d.queue_id = ?2 AND d.queue_offset > ?3)
   AND (?4 IS NULL OR t.name = ?4)
   AND (?5 IS NULL OR d.message_key = ?5)
   AND (?6 IS NULL OR d.message_id = ?6)
   AND (?7 IS NULL OR d.died_at >= TIMESTAMP'1970-01-01 00:00:00' + INTERVAL ?7 MICROSECOND)
   AND (?8 IS NULL OR d.died_at < TIMESTAMP'1970-01-01 00:00:00' + INTERVAL ?8 MICROSECOND)
 ORDER BY d.queue_id, d.queue_offset
 LIMIT ?9
