-- Changes retries: [queue, offset, attempts, wait or null, in trial, error or null]. Safe: run under
-- queue_settle_lock; attempts never fall.
UPDATE outbox_group_retry r
   SET attempts = greatest(r.attempts, (e->>2)::integer),
       due_at = clock_timestamp() + (e->>3)::bigint * interval '1 microsecond',
       in_trial = (e->>4)::boolean,
       last_error = coalesce(e->>5, r.last_error)
  FROM json_array_elements($2::json) AS e
 WHERE r.group_id = $1
   AND r.queue_id = (e->>0)::integer
   AND r.queue_offset = (e->>1)::bigint
