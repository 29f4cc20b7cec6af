-- The answer counts once: a repeated one finds no pending sub-order and changes no row. Parameters: state, reason,
-- sub-order, order. Safe: an UPDATE decides by what is committed, whatever the transaction's snapshot shows.
UPDATE sub_order SET state = ?, reason = ? WHERE id = ? AND order_id = ? AND state = 'pending'
