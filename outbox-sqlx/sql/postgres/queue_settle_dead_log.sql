-- Copies messages of the log to the dead letters: [queue, offset, attempts, error]. Safe: run under queue_settle_lock.
INSERT INTO outbox_group_dead (group_id, queue_id, queue_offset, message_id, message_key, payload, headers, created_at, attempts, last_error)
SELECT $1, m.queue_id, m.queue_offset, m.message_id, m.message_key, m.payload, m.headers, m.created_at,
       (e->>2)::integer, e->>3
  FROM json_array_elements($2::json) AS e
  JOIN outbox_queue_message m ON m.queue_id = (e->>0)::integer AND m.queue_offset = (e->>1)::bigint
ON CONFLICT (group_id, queue_id, queue_offset) DO UPDATE
   SET attempts = greatest(outbox_group_dead.attempts, excluded.attempts), last_error = excluded.last_error,
       died_at = excluded.died_at
