-- Writes down failures that hold their key: until a retry (hold 1) or until an operator decides (hold 2).
-- Safe: run under the fence of relay_lock_shards; touches rows that are still there; attempts never fall.
UPDATE outbox o
   SET hold = f.hold,
       due_at = clock_timestamp() + f.delay * interval '1 microsecond',
       attempts = greatest(o.attempts, f.attempts),
       last_error = f.error
  FROM unnest($1::bigint[], $2::smallint[], $3::bigint[], $4::integer[], $5::text[])
       AS f (id, hold, delay, attempts, error)
 WHERE o.id = f.id
RETURNING o.id
