-- Tells relays in other processes to look. Safe: sent from a connection of its own, never inside a business
-- transaction, where NOTIFY takes a lock on the whole server at commit.
NOTIFY outbox
