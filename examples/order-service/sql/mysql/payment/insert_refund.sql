-- Writes down a refund. Safe: plain insert.
INSERT INTO refund (id, payment_id, sub_order_id, amount) VALUES (?, ?, ?, ?)
