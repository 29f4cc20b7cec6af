-- Settles delivered rows. Safe without a fence: whoever deletes them, they were delivered; a row that is gone already is
-- not missed. The list of ids is put in place of the braces: numbers only, see settle.rs.
DELETE FROM outbox WHERE id IN ({ids})
