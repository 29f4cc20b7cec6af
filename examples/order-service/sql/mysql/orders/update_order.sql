-- Writes a main order that has changed: state, reason, amounts (to be paid, captured, refunded), payment, overdue,
-- id. Safe: the row is locked by this transaction.
UPDATE main_order
   SET state = ?, reason = ?, amount = ?, captured_amount = ?, refunded_amount = ?, payment_id = ?,
       overdue = ?
 WHERE id = ?
