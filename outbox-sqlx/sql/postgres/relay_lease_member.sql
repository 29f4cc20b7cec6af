-- Counts this relay as alive, forgets those that have been dead for an hour, and returns how many live.
-- Safe: SKIP LOCKED, so that two relays can't wait for each other over the dead ones.
WITH stale AS (
    DELETE FROM outbox_relay
     WHERE relay IN (SELECT relay
                       FROM outbox_relay
                      WHERE relay <> $1
                        AND seen_until < clock_timestamp() - interval '1 hour'
                        FOR UPDATE SKIP LOCKED)
), me AS (
    INSERT INTO outbox_relay (relay, seen_until)
    VALUES ($1, clock_timestamp() + $2::bigint * interval '1 microsecond')
    ON CONFLICT (relay) DO UPDATE SET seen_until = EXCLUDED.seen_until
)
SELECT 1 + count(*) FROM outbox_relay WHERE relay <> $1 AND seen_until > clock_timestamp()
