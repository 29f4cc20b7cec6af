-- Writes all sub-orders of an order in one statement: order, [[id, merchant, amount], …].
INSERT INTO sub_order (id, order_id, merchant, amount)
SELECT unhex(value ->> 0), $1, value ->> 1, value ->> 2 FROM json_each($2)
