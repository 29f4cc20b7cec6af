-- Where one dead letter belongs. Safe: reads only. A shard out of range counts as 0, as everywhere.
SELECT id, CAST(CASE WHEN shard BETWEEN 0 AND 63 THEN shard ELSE 0 END AS SIGNED), topic, message_key
  FROM outbox_dead
 WHERE message_id = ?
 ORDER BY id
 LIMIT 1
