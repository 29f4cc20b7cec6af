-- Notes that the carrier was there.
UPDATE shipment SET state = 'delivered' WHERE sub_order_id = $1 AND state = 'shipped'
