-- Reads a main order and lets nobody else change it until the transaction ends: whoever changes an order locks it
-- first.
SELECT id, buyer, state, reason, all_or_nothing, placed_amount, amount, captured_amount, refunded_amount,
       payment_id, payment_method, overdue
  FROM main_order
 WHERE id = $1
