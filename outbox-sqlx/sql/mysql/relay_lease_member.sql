-- Counts this relay as alive. Safe: it touches its own row only.
INSERT INTO outbox_relay (relay, seen_until)
VALUES (?1, UTC_TIMESTAMP(6) + INTERVAL ?2 MICROSECOND)
    ON DUPLICATE KEY UPDATE seen_until = UTC_TIMESTAMP(6) + INTERVAL ?2 MICROSECOND
