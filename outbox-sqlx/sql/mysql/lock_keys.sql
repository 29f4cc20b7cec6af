-- Locks a key's slot until the transaction ends, so that the next insert's ids follow the order of the commits. Safe:
-- one row by its primary key, in any isolation level; slots are never changed, so no snapshot can be too old for it.
SELECT slot FROM outbox_key_slot WHERE slot = ? FOR UPDATE
