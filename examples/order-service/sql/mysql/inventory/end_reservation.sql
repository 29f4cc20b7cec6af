-- Ends a reservation, if it is one. Safe: one row by its primary key, decided by what is committed.
UPDATE reservation SET state = ? WHERE sub_order_id = ? AND state = 'reserved'
