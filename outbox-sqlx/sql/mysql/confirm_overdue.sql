-- Messages whose deadline has passed, the oldest first. Safe: reads only, at most ?1; each is looked at again under its lock.
SELECT id, CAST(CASE WHEN shard BETWEEN 0 AND 63 THEN shard ELSE 0 END AS SIGNED)
  FROM outbox_awaiting
 WHERE deadline_at <= UTC_TIMESTAMP(6)
 ORDER BY deadline_at
 LIMIT ?1
