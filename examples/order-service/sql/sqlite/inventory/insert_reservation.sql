-- Notes that a sub-order was answered, before anything else is done. 'reserved' until the transaction finds that
-- something is short.
INSERT INTO reservation (sub_order_id, order_id, merchant, state) VALUES ($1, $2, $3, 'reserved')
