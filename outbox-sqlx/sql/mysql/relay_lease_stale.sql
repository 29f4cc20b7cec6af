-- Relays that have not been seen for an hour. Safe: reads only, and without locks, so that two relays that look at the
-- same time don't wait for each other's rows.
SELECT relay FROM outbox_relay WHERE relay <> ?1 AND seen_until < UTC_TIMESTAMP(6) - INTERVAL 1 HOUR
