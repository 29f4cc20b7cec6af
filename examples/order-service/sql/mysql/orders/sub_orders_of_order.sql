-- The sub-orders of an order, in the order in which the buyer named their merchants, because ids sort by time. Safe:
-- a plain read; where it decides, the order was locked before, and so its snapshot is not older than that.
SELECT id, merchant, state, reason, amount, paid_amount, refund_requested, refunded_amount
  FROM sub_order
 WHERE order_id = ?
 ORDER BY id
