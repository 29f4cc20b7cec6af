-- Which of the rows ?1 (a JSON list) have a parked key. Safe: run under the fence of relay_lock_shards; the locks keep a
-- redrive from un-parking the key meanwhile, and where it was faster the row stays.
SELECT o.id
  FROM JSON_TABLE(?1, '$[*]' COLUMNS (id BIGINT PATH '$')) AS wanted
 STRAIGHT_JOIN outbox o FORCE INDEX (PRIMARY) ON o.id = wanted.id
 STRAIGHT_JOIN outbox_parked p FORCE INDEX (PRIMARY) ON p.topic = o.topic AND p.message_key = o.message_key
   FOR UPDATE /*!80000 OF o, p */
