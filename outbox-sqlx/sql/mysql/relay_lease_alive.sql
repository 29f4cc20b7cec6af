-- How many relays are alive beside this one. Safe: reads only.
SELECT COUNT(*) FROM outbox_relay WHERE relay <> ?1 AND seen_until > UTC_TIMESTAMP(6)
