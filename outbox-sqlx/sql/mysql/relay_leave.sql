-- Forgets this relay. Safe: it touches its own row only.
DELETE FROM outbox_relay WHERE relay = ?1
