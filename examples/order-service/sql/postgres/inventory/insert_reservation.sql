-- Claims the answer to a request, before anything else is done: no row is changed where there is an answer already.
-- 'reserved' until the transaction finds that something is short.
INSERT INTO reservation (sub_order_id, order_id, request_id, merchant, state) VALUES ($1, $2, $3, $4, 'reserved')
ON CONFLICT (sub_order_id) DO NOTHING
