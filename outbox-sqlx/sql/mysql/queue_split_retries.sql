-- Gives retries of keys that have moved to their new queue ?3. Their offsets are below all of its own. Safe: run under
-- queue_settle_lock of the old one.
UPDATE JSON_TABLE(?4, '$[*]' COLUMNS (queue_offset BIGINT PATH '$')) AS moved
 STRAIGHT_JOIN outbox_group_retry r FORCE INDEX (PRIMARY)
    ON r.group_id = ?1 AND r.queue_id = ?2 AND r.queue_offset = moved.queue_offset
   SET r.queue_id = ?3
