-- Writes all lines of an order in one statement: [[sub-order, position, sku, quantity, price], …].
INSERT INTO order_line (sub_order_id, position, sku, quantity, unit_price)
SELECT unhex(value ->> 0), value ->> 1, value ->> 2, value ->> 3, value ->> 4 FROM json_each($1)
