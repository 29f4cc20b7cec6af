-- Writes down failures that hold their key: until a retry (hold 1) or until an operator decides (hold 2). ?1: [[id, hold,
-- delay in microseconds, attempts, error], …]. Safe: run under the fence of relay_lock_shards; touches rows that are
-- still there; attempts never fall.
UPDATE JSON_TABLE(?1, '$[*]' COLUMNS (id BIGINT PATH '$[0]', hold SMALLINT PATH '$[1]', delay BIGINT PATH '$[2]',
                                      attempts INT PATH '$[3]', error TEXT PATH '$[4]')) AS f
 STRAIGHT_JOIN outbox o FORCE INDEX (PRIMARY) ON o.id = f.id
   SET o.hold = f.hold,
       o.due_at = UTC_TIMESTAMP(6) + INTERVAL f.delay MICROSECOND,
       o.attempts = GREATEST(o.attempts, f.attempts),
       o.last_error = f.error
