-- The sub-orders of an order, in the order in which the buyer named their merchants, because ids sort by time.
SELECT id, merchant, state, reason, amount, paid_amount, refund_requested, refunded_amount
  FROM sub_order
 WHERE order_id = $1
 ORDER BY id
