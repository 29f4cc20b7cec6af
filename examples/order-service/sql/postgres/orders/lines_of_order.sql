-- The lines of an order's sub-orders, in their order. They never change.
SELECT l.sub_order_id, l.sku, l.quantity, l.unit_price
  FROM sub_order s
  JOIN order_line l ON l.sub_order_id = s.id
 WHERE s.order_id = $1
 ORDER BY s.id, l.position
