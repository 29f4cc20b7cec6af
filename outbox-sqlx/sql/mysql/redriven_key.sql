-- Last step: removes the dead letters that were given back, and no other: whoever buries a message of this key waits for
-- the shard. Safe: same transaction.
DELETE FROM outbox_dead WHERE topic = ?1 AND message_key = ?2
