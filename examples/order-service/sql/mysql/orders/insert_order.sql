-- Writes a main order, whose amount is as yet what was placed: id, buyer, amount, amount. Its sub-orders and messages
-- follow in the same transaction. Safe: plain insert.
INSERT INTO main_order (id, buyer, placed_amount, amount) VALUES (?, ?, ?, ?)
