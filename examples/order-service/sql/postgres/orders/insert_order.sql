-- Writes a main order. Its sub-orders and messages follow in the same transaction.
INSERT INTO main_order (id, buyer, all_or_nothing, payment_method, placed_amount, amount)
VALUES ($1, $2, $3, $4, $5, $6)
