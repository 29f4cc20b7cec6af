-- Removes retries that are finished or dead: [queue, offset]. Safe: run under queue_settle_lock.
DELETE r
  FROM JSON_TABLE(?2, '$[*]' COLUMNS (queue_id INT PATH '$[0]', queue_offset BIGINT PATH '$[1]')) AS e
 STRAIGHT_JOIN outbox_group_retry r FORCE INDEX (PRIMARY)
    ON r.group_id = ?1 AND r.queue_id = e.queue_id AND r.queue_offset = e.queue_offset
