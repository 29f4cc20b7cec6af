-- Writes all sub-orders of an order in one statement: order, [[id, merchant, amount], …].
INSERT INTO sub_order (id, order_id, merchant, amount)
SELECT (value ->> 0)::uuid, $1, value ->> 1, (value ->> 2)::bigint FROM json_array_elements($2::json)
