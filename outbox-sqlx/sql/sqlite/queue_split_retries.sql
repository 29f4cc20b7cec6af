-- Gives retries of keys that have moved to their new queue $3. Their offsets are below all of its own. Safe: run under
-- queue_settle_lock of the old one.
UPDATE outbox_group_retry
   SET queue_id = $3
 WHERE group_id = $1
   AND queue_id = $2
   AND queue_offset IN (SELECT value FROM json_each($4))
