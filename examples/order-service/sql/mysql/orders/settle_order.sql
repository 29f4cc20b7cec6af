-- Brings a main order in line with its sub-orders: its amount always, its state when the last of them was answered.
-- Safe to run at any time, any number of times, by whoever holds the order's lock: what an UPDATE reads in order to
-- decide it reads with shared locks, so it sees what is committed and no older snapshot. The order is the parameter,
-- all four times.
UPDATE main_order
   SET amount = (SELECT CAST(COALESCE(SUM(amount), 0) AS SIGNED) FROM sub_order WHERE order_id = ? AND state <> 'refused'),
       state = CASE
           WHEN EXISTS (SELECT 1 FROM sub_order WHERE order_id = ? AND state = 'pending') THEN 'pending'
           WHEN EXISTS (SELECT 1 FROM sub_order WHERE order_id = ? AND state = 'reserved') THEN 'completed'
           ELSE 'refused'
       END
 WHERE id = ? AND state = 'pending'
