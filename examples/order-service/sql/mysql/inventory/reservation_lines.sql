-- What was set aside for a sub-order, by article: the order in which rows of stock are locked. Safe: reads only.
SELECT merchant, sku, quantity FROM reservation_line WHERE sub_order_id = ? ORDER BY sku
