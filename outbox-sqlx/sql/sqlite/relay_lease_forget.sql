-- Forgets relays that have not been seen since ?1. Safe: a dead relay that comes back counts itself again.
DELETE FROM outbox_relay WHERE seen_until < ?1
