-- Writes a sub-order that has changed: state, reason, amounts (paid, asked back, refunded), id.
UPDATE sub_order
   SET state = $1, reason = $2, paid_amount = $3, refund_requested = $4, refunded_amount = $5
 WHERE id = $6
