-- The bare reader reads a batch: the columns that a member of a group reads.
SELECT queue_id, queue_offset, message_id, message_key, payload, headers, created_at
  FROM bench_log
 WHERE queue_offset > ?
 ORDER BY queue_offset
 LIMIT ?
