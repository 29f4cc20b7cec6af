-- An order with its sub-orders and their lines, a row per line. One statement, so that all of it is of one moment. Safe:
-- reads only. Sub-orders come in the order in which the buyer named their merchants, because ids sort by time.
SELECT o.id, o.buyer, o.state, o.placed_amount, o.amount,
       s.id, s.merchant, s.state, s.reason, s.amount,
       l.sku, l.quantity, l.unit_price
  FROM main_order o
  JOIN sub_order s ON s.order_id = o.id
  JOIN order_line l ON l.sub_order_id = s.id
 WHERE o.id = ?
 ORDER BY s.id, l.position
