-- Writes a main order. Its sub-orders and messages follow in the same transaction. Safe: plain insert.
INSERT INTO main_order (id, buyer, all_or_nothing, payment_method, placed_amount, amount)
VALUES (?, ?, ?, ?, ?, ?)
