-- Writes all sub-orders of an order in one statement, as columns: $2, $3 and $4 are arrays of the same length.
INSERT INTO sub_order (id, order_id, merchant, amount)
SELECT id, $1, merchant, amount FROM unnest($2::uuid[], $3::text[], $4::bigint[]) AS new (id, merchant, amount)
