-- Writes all lines of an order in one statement, as columns: the arrays are of the same length.
INSERT INTO order_line (sub_order_id, position, sku, quantity, unit_price)
SELECT * FROM unnest($1::uuid[], $2::integer[], $3::text[], $4::bigint[], $5::bigint[])
