-- Copies messages of the log to the dead letters: [queue, offset, attempts, error]. Safe: run under queue_settle_lock.
INSERT INTO outbox_group_dead (group_id, queue_id, queue_offset, message_id, message_key, payload, headers, created_at, attempts, last_error)
SELECT $1, m.queue_id, m.queue_offset, m.message_id, m.message_key, m.payload, m.headers, m.created_at,
       e.value ->> 2, e.value ->> 3
  FROM json_each($2) AS e
  JOIN outbox_queue_message m ON m.queue_id = (e.value ->> 0) AND m.queue_offset = (e.value ->> 1)
 WHERE true
ON CONFLICT (group_id, queue_id, queue_offset) DO UPDATE
   SET attempts = max(outbox_group_dead.attempts, excluded.attempts), last_error = excluded.last_error,
       died_at = excluded.died_at
