-- The transactions that have written to the outbox and have not ended: each may still make a row visible whose
-- id is below those already read. A prepared transaction counts too (it has no process, and is named after its
-- transaction id). Safe: it only looks at the lock table.
SELECT DISTINCT virtualtransaction
  FROM pg_locks
 WHERE locktype = 'relation'
   AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
   AND relation = 'outbox'::regclass
   AND mode = 'RowExclusiveLock'
   AND granted
   AND pid IS DISTINCT FROM pg_backend_pid()
