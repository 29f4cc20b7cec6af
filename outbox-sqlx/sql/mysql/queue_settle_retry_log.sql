-- Copies messages of the log to the retry table: [queue, offset, attempts, wait or null, in trial, error or null].
-- Safe: run under queue_settle_lock; attempts never fall.
INSERT INTO outbox_group_retry
       (group_id, queue_id, queue_offset, message_id, message_key, payload, headers, created_at, attempts, due_at,
        in_trial, last_error)
SELECT ?1, m.queue_id, m.queue_offset, m.message_id, m.message_key, m.payload, m.headers, m.created_at, e.attempts,
       UTC_TIMESTAMP(6) + INTERVAL e.wait MICROSECOND, e.in_trial, e.error
  FROM JSON_TABLE(?2, '$[*]' COLUMNS (queue_id INT PATH '$[0]', queue_offset BIGINT PATH '$[1]',
                                      attempts INT PATH '$[2]', wait BIGINT PATH '$[3]',
                                      in_trial BOOLEAN PATH '$[4]', error TEXT PATH '$[5]')) AS e
 STRAIGHT_JOIN outbox_queue_message m FORCE INDEX (PRIMARY) ON m.queue_id = e.queue_id AND m.queue_offset = e.queue_offset
    ON DUPLICATE KEY UPDATE attempts = GREATEST(outbox_group_retry.attempts, e.attempts),
                            due_at = UTC_TIMESTAMP(6) + INTERVAL e.wait MICROSECOND,
                            in_trial = e.in_trial,
                            last_error = COALESCE(e.error, outbox_group_retry.last_error)
