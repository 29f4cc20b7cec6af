-- Brings a main order in line with its sub-orders: its amount always, its state when the last of them was answered.
-- Safe to run at any time, any number of times, by whoever holds the order's lock.
UPDATE main_order
   SET amount = (SELECT CAST(coalesce(sum(amount), 0) AS bigint) FROM sub_order WHERE order_id = $1 AND state <> 'refused'),
       state = CASE
           WHEN EXISTS (SELECT 1 FROM sub_order WHERE order_id = $1 AND state = 'pending') THEN 'pending'
           WHEN EXISTS (SELECT 1 FROM sub_order WHERE order_id = $1 AND state = 'reserved') THEN 'completed'
           ELSE 'refused'
       END
 WHERE id = $1 AND state = 'pending'
