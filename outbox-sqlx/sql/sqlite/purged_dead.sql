-- Removes the dead letters that have a note. Safe: same transaction; at most $2 of them, the oldest.
DELETE FROM outbox_dead
 WHERE id IN (SELECT id FROM outbox_dead WHERE died_at < CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER) * 1000 - $1 ORDER BY died_at LIMIT $2)
   AND id IN (SELECT id FROM outbox_discarded)
