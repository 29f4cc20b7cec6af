-- Gives every shard back and forgets this relay, in one statement. Safe: it touches only what is its own.
WITH freed AS (
    UPDATE outbox_shard SET owner = NULL, lease_until = NULL WHERE owner = $1
)
DELETE FROM outbox_relay WHERE relay = $1
