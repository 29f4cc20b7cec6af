-- Hands a sub-order to the carrier. Safe: plain insert.
INSERT INTO shipment (sub_order_id, order_id, merchant, state) VALUES (?, ?, ?, 'shipped')
