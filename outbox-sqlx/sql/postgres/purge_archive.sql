-- Removes delivered messages older than $1 microseconds. Safe: finished rows only, at most $2 of them.
DELETE FROM outbox_archive
 WHERE id IN (SELECT id FROM outbox_archive
               WHERE delivered_at < now() - $1::bigint * interval '1 microsecond'
               ORDER BY delivered_at
               LIMIT $2)
