-- A page of the sub-orders that inventory has not answered (by the index on the state), a row per line. Safe: a plain
-- read; a question about one that is answered meanwhile changes nothing.
SELECT s.id, s.order_id, s.merchant, l.sku, l.quantity
  FROM (SELECT id, order_id, merchant FROM sub_order WHERE state = 'pending' AND id > ? ORDER BY id LIMIT ?) s
  JOIN order_line l ON l.sub_order_id = s.id
 ORDER BY s.id, l.position
