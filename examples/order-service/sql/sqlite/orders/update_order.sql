-- Writes a main order that has changed: state, reason, amounts (to be paid, captured, refunded), payment, overdue,
-- id.
UPDATE main_order
   SET state = $1, reason = $2, amount = $3, captured_amount = $4, refunded_amount = $5, payment_id = $6,
       overdue = $7
 WHERE id = $8
