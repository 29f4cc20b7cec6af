-- Writes one line of a sub-order.
INSERT INTO order_line (sub_order_id, position, sku, quantity, unit_price) VALUES ($1, $2, $3, $4, $5)
