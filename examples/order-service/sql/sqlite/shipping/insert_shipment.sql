-- Hands a sub-order to the carrier.
INSERT INTO shipment (sub_order_id, order_id, merchant, state) VALUES ($1, $2, $3, 'shipped')
