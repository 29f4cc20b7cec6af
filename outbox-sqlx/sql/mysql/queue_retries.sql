-- A page of the retries of the queues ?2 without their content, after queue ?3 and offset ?4, and how many microseconds
-- each still waits. Safe: reads only, by the queues' owner.
SELECT r.queue_id, r.queue_offset, r.message_key, r.attempts,
       GREATEST(0, TIMESTAMPDIFF(MICROSECOND, UTC_TIMESTAMP(6), r.due_at)), r.in_trial
  FROM outbox_group_retry r
 WHERE r.group_id = ?1
   AND r.queue_id IN (SELECT e.queue_id FROM JSON_TABLE(?2, '$[*]' COLUMNS (queue_id INT PATH '$')) AS e)
   AND (r.queue_id > ?3 OR r.queue_id = ?3 AND r.queue_offset > ?4)
 ORDER BY r.queue_id, r.queue_offset
 LIMIT ?5
