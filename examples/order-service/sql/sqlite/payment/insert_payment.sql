-- Writes down what came of a try to pay.
INSERT INTO payment (id, order_id, amount, state, reason) VALUES ($1, $2, $3, $4, $5)
