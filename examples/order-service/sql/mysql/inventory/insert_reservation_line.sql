-- Notes for whom stock was set aside. Safe: plain insert, of a row that belongs to this transaction's reservation.
INSERT INTO reservation_line (sub_order_id, position, merchant, sku, quantity) VALUES (?, ?, ?, ?, ?)
