-- Changes retries: [queue, offset, attempts, wait or null, in trial, error or null]. Safe: run under
-- queue_settle_lock; attempts never fall.
UPDATE JSON_TABLE(?2, '$[*]' COLUMNS (queue_id INT PATH '$[0]', queue_offset BIGINT PATH '$[1]',
                                      attempts INT PATH '$[2]', wait BIGINT PATH '$[3]',
                                      in_trial BOOLEAN PATH '$[4]', error TEXT PATH '$[5]')) AS e
 STRAIGHT_JOIN outbox_group_retry r FORCE INDEX (PRIMARY)
    ON r.group_id = ?1 AND r.queue_id = e.queue_id AND r.queue_offset = e.queue_offset
   SET r.attempts = GREATEST(r.attempts, e.attempts),
       r.due_at = UTC_TIMESTAMP(6) + INTERVAL e.wait MICROSECOND,
       r.in_trial = e.in_trial,
       r.last_error = COALESCE(e.error, r.last_error)
