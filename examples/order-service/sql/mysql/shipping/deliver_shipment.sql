-- Notes that the carrier was there. Safe: one row by its primary key, decided by what is committed.
UPDATE shipment SET state = 'delivered' WHERE sub_order_id = ? AND state = 'shipped'
