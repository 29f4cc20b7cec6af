-- Writes down a refund.
INSERT INTO refund (id, payment_id, sub_order_id, amount) VALUES ($1, $2, $3, $4)
