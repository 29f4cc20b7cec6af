-- How many relays are alive. Safe: read inside of BEGIN IMMEDIATE.
SELECT count(*) FROM outbox_relay WHERE seen_until > ?1
