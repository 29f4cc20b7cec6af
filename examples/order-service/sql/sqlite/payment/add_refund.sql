-- Adds a refund to what went back of a payment. More than was captured is refused by the schema.
UPDATE payment SET refunded_amount = refunded_amount + $1 WHERE id = $2
