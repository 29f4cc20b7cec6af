-- Fails (error 1305) where there is no transaction: there the first statement does nothing, and the second one misses
-- its savepoint. One round trip. Safe: changes nothing.
SAVEPOINT outbox_is_open;
RELEASE SAVEPOINT outbox_is_open
