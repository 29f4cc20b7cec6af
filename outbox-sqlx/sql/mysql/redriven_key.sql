-- Last step: removes the dead letters that were given back, and no other: whoever buries a message of this key waits for
-- the shard. Safe: same transaction; along the index, so that it doesn't wait for letters of other keys.
DELETE d FROM outbox_dead AS d FORCE INDEX (outbox_dead_key) WHERE d.topic = ?1 AND d.message_key = ?2
