-- Writes one sub-order. There is no network between the program and SQLite: a statement per row is as fast as one for all.
INSERT INTO sub_order (id, order_id, merchant, amount) VALUES ($1, $2, $3, $4)
