-- Ends a reservation, if it is one.
UPDATE reservation SET state = $1 WHERE sub_order_id = $2 AND state = 'reserved'
