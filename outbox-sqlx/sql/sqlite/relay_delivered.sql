-- Settles delivered rows. Safe without a fence: whoever deletes them, they were delivered; a row that is gone
-- already is not missed.
DELETE FROM outbox WHERE id IN (SELECT value FROM json_each(?1))
