-- Counts this relay as alive. Safe: it touches its own row only.
INSERT INTO outbox_relay (relay, seen_until) VALUES (?1, ?2)
    ON CONFLICT (relay) DO UPDATE SET seen_until = excluded.seen_until
