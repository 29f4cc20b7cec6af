-- Changes retries: [queue, offset, attempts, wait or null, in trial, error or null]. Safe: run under
-- queue_settle_lock; attempts never fall.
UPDATE outbox_group_retry AS r
   SET attempts = max(r.attempts, e.value ->> 2),
       due_at = CAST(unixepoch('subsec') * 1000 AS INTEGER) * 1000 + (e.value ->> 3),
       in_trial = e.value ->> 4,
       last_error = coalesce(e.value ->> 5, r.last_error)
  FROM json_each($2) AS e
 WHERE r.group_id = $1
   AND r.queue_id = (e.value ->> 0)
   AND r.queue_offset = (e.value ->> 1)
