-- Removes confirmations older than $1 microseconds whose message is settled: it neither waits nor is dead, where it could
-- still need them. Safe: finished rows only, at most $2 of them.
DELETE FROM outbox_confirmation c
 USING (SELECT message_id, group_name
          FROM outbox_confirmation old
         WHERE confirmed_at < now() - $1::bigint * interval '1 microsecond'
           AND NOT EXISTS (SELECT 1 FROM outbox_awaiting a WHERE a.message_id = old.message_id)
           AND NOT EXISTS (SELECT 1 FROM outbox_dead d WHERE d.message_id = old.message_id)
         ORDER BY confirmed_at
         LIMIT $2) gone
 WHERE c.message_id = gone.message_id AND c.group_name = gone.group_name
