-- Claims the answer to a request, before anything else is done: it violates the primary key where there is an answer
-- already. 'reserved' until the transaction finds that something is short. Safe: whoever comes second waits here for the
-- first one's end. (No ON DUPLICATE KEY UPDATE: the driver counts rows that were found, so it would count 1 in both cases.)
INSERT INTO reservation (sub_order_id, order_id, request_id, merchant, state) VALUES (?, ?, ?, ?, 'reserved')
