-- The answer counts once: a repeated one finds no pending sub-order and changes no row.
UPDATE sub_order SET state = $3, reason = $4 WHERE id = $2 AND order_id = $1 AND state = 'pending'
