-- What holds keys back in the shards of the mask ?2: rows that hold their key (kind 0), parked keys (1), and where a shard
-- has to be read again (2; only its owner may act on that). Safe: one statement and so one snapshot, no lock.
(SELECT 0, id, CASE WHEN shard BETWEEN 0 AND 63 THEN shard ELSE 0 END, topic, message_key
   FROM outbox FORCE INDEX (outbox_due)
  WHERE due_at IS NOT NULL
    AND hold <> 0
    AND message_key IS NOT NULL
    AND (?2 >> CASE WHEN shard BETWEEN 0 AND 63 THEN shard ELSE 0 END) & 1
  ORDER BY due_at, id
  LIMIT ?3)
UNION ALL
(SELECT 1, 0, shard, topic, message_key FROM outbox_parked WHERE (?2 >> shard) & 1 LIMIT ?3)
UNION ALL
(SELECT 2, rewind_to, shard, NULL, NULL
   FROM outbox_shard
  WHERE owner = ?1
    AND rewind_to IS NOT NULL
    AND (?2 >> shard) & 1)
