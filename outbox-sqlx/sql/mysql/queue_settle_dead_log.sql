-- Copies messages of the log to the dead letters: [queue, offset, attempts, error]. Safe: run under queue_settle_lock.
INSERT INTO outbox_group_dead
       (group_id, queue_id, queue_offset, message_id, message_key, payload, headers, created_at, attempts, last_error)
SELECT ?1, m.queue_id, m.queue_offset, m.message_id, m.message_key, m.payload, m.headers, m.created_at, e.attempts, e.error
  FROM JSON_TABLE(?2, '$[*]' COLUMNS (queue_id INT PATH '$[0]', queue_offset BIGINT PATH '$[1]',
                                      attempts INT PATH '$[2]', error TEXT PATH '$[3]')) AS e
 STRAIGHT_JOIN outbox_queue_message m FORCE INDEX (PRIMARY) ON m.queue_id = e.queue_id AND m.queue_offset = e.queue_offset
    ON DUPLICATE KEY UPDATE attempts = GREATEST(outbox_group_dead.attempts, e.attempts), last_error = e.error,
                            died_at = UTC_TIMESTAMP(6)
