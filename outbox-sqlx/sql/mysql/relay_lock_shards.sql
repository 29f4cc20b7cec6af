-- The fence: which of the shards ?2 (a JSON list) this relay still owns, and under which epoch. The lock keeps a takeover
-- (and a redrive) of them waiting until this transaction ends, so what it writes down is seen by whoever comes next.
-- Safe from deadlock with another of its kind: the list is sorted, and that is the order of the locks. (MySQL wants to
-- be told that the list itself is not to be locked; MariaDB doesn't know how.)
SELECT s.shard, s.epoch
  FROM JSON_TABLE(?2, '$[*]' COLUMNS (shard SMALLINT PATH '$')) AS wanted
 STRAIGHT_JOIN outbox_shard s FORCE INDEX (PRIMARY) ON s.shard = wanted.shard
 WHERE s.owner = ?1
  /*!80000 FOR SHARE OF s */ /*M! LOCK IN SHARE MODE */
