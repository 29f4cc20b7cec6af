-- Removes confirmations older than $1 microseconds whose message is settled: it neither waits nor is dead, where it could
-- still need them. Safe: finished rows only, at most $2 of them.
DELETE FROM outbox_confirmation
 WHERE rowid IN (SELECT old.rowid
                   FROM outbox_confirmation old
                  WHERE old.confirmed_at < CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER) * 1000 - $1
                    AND NOT EXISTS (SELECT 1 FROM outbox_awaiting a WHERE a.message_id = old.message_id)
                    AND NOT EXISTS (SELECT 1 FROM outbox_dead d WHERE d.message_id = old.message_id)
                  ORDER BY old.confirmed_at
                  LIMIT $2)
