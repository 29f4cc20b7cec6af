-- Notes for whom stock was set aside. Safe: plain insert.
INSERT INTO reservation_line (sub_order_id, position, merchant, sku, quantity) VALUES (?, ?, ?, ?, ?)
