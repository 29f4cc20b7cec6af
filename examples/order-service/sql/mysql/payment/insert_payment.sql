-- Writes down what came of a try to pay. Safe: plain insert.
INSERT INTO payment (id, order_id, amount, state, reason) VALUES (?, ?, ?, ?, ?)
