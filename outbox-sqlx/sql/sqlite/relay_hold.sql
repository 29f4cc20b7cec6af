-- Writes down failures that hold their key: until a retry (hold 1) or until an operator decides (hold 2).
-- ?1: [[id, hold, due_at, attempts, error], …]. Safe: run under the fence of relay_owned_shards; touches rows
-- that are still there; attempts never fall.
UPDATE outbox
   SET hold = f.hold,
       due_at = f.due_at,
       attempts = max(outbox.attempts, f.attempts),
       last_error = f.error
  FROM (SELECT json_extract(value, '$[0]') AS id, json_extract(value, '$[1]') AS hold,
               json_extract(value, '$[2]') AS due_at, json_extract(value, '$[3]') AS attempts,
               json_extract(value, '$[4]') AS error
          FROM json_each(?1)) AS f
 WHERE outbox.id = f.id
RETURNING id
