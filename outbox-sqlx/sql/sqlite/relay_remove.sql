-- Deletes rows that were copied to the dead letters by the same transaction, and says which there were. Safe:
-- run under the fence of relay_owned_shards.
DELETE FROM outbox WHERE id IN (SELECT value FROM json_each(?1)) RETURNING id
