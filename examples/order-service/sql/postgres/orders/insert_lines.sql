-- Writes all lines of an order in one statement: [[sub-order, position, sku, quantity, price], …].
INSERT INTO order_line (sub_order_id, position, sku, quantity, unit_price)
SELECT (value ->> 0)::uuid, (value ->> 1)::integer, value ->> 2, (value ->> 3)::bigint, (value ->> 4)::bigint
  FROM json_array_elements($1::json)
