-- Gives every shard back. Safe: it touches only what is this relay's.
UPDATE outbox_shard SET owner = NULL, lease_until = NULL WHERE owner = ?1
