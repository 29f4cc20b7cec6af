-- Adds a refund to what went back of a payment. More than was captured is refused by the schema. Safe: one row by its
-- primary key, decided by what is committed.
UPDATE payment SET refunded_amount = refunded_amount + ? WHERE id = ?
