-- The content of retries, given as [queue, offset] pairs. Safe: reads only.
SELECT r.queue_id, r.queue_offset, r.message_id, r.message_key, r.payload, r.headers,
       TIMESTAMPDIFF(MICROSECOND, '1970-01-01', r.created_at)
  FROM JSON_TABLE(?2, '$[*]' COLUMNS (queue_id INT PATH '$[0]', queue_offset BIGINT PATH '$[1]')) AS e
 STRAIGHT_JOIN outbox_group_retry r FORCE INDEX (PRIMARY)
    ON r.group_id = ?1 AND r.queue_id = e.queue_id AND r.queue_offset = e.queue_offset
