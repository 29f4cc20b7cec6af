-- Removes notes of discarded messages older than $1 microseconds. Safe: finished rows only, at most $2 of them.
DELETE FROM outbox_discarded
 WHERE id IN (SELECT id FROM outbox_discarded
               WHERE discarded_at < now() - $1::bigint * interval '1 microsecond'
               ORDER BY discarded_at
               LIMIT $2)
