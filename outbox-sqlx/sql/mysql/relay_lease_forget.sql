-- Forgets a relay that has not been seen for an hour. Safe: one row; a dead relay that comes back counts itself again.
DELETE FROM outbox_relay WHERE relay = ?1 AND seen_until < UTC_TIMESTAMP(6) - INTERVAL 1 HOUR
