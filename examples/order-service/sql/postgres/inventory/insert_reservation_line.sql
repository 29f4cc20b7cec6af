-- Notes for whom stock was set aside.
INSERT INTO reservation_line (sub_order_id, position, merchant, sku, quantity) VALUES ($1, $2, $3, $4, $5)
