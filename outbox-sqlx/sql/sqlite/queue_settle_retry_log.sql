-- Copies messages of the log to the retry table: [queue, offset, attempts, wait or null, in trial, error or null].
-- Safe: run under queue_settle_lock; attempts never fall.
INSERT INTO outbox_group_retry (group_id, queue_id, queue_offset, message_id, message_key, payload, headers, created_at, attempts, due_at, in_trial, last_error)
SELECT $1, m.queue_id, m.queue_offset, m.message_id, m.message_key, m.payload, m.headers, m.created_at,
       e.value ->> 2, CAST(unixepoch('subsec') * 1000 AS INTEGER) * 1000 + (e.value ->> 3), e.value ->> 4, e.value ->> 5
  FROM json_each($2) AS e
  JOIN outbox_queue_message m ON m.queue_id = (e.value ->> 0) AND m.queue_offset = (e.value ->> 1)
 WHERE true
ON CONFLICT (group_id, queue_id, queue_offset) DO UPDATE
   SET attempts = max(outbox_group_retry.attempts, excluded.attempts), due_at = excluded.due_at,
       in_trial = excluded.in_trial, last_error = coalesce(excluded.last_error, outbox_group_retry.last_error)
