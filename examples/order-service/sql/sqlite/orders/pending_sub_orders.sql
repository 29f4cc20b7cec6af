-- A page of the sub-orders that inventory has not answered (by the partial index), a row per line.
SELECT s.id, s.order_id, s.merchant, l.sku, l.quantity
  FROM (SELECT id, order_id, merchant FROM sub_order WHERE state = 'pending' AND id > $1 ORDER BY id LIMIT $2) s
  JOIN order_line l ON l.sub_order_id = s.id
 ORDER BY s.id, l.position
