-- Writes a sub-order that has changed: state, reason, amounts (paid, asked back, refunded), id. Safe: its main order
-- is locked by this transaction.
UPDATE sub_order
   SET state = ?, reason = ?, paid_amount = ?, refund_requested = ?, refunded_amount = ?
 WHERE id = ?
