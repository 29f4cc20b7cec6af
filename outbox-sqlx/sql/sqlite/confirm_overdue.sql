-- Messages whose deadline has passed, the oldest first. Safe: reads only, at most $1.
SELECT id, CASE WHEN shard BETWEEN 0 AND 63 THEN shard ELSE 0 END
  FROM outbox_awaiting
 WHERE deadline_at <= CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER) * 1000
 ORDER BY deadline_at
 LIMIT $1
