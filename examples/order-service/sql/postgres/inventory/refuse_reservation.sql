-- Turns the reservation of this transaction into a refusal.
UPDATE reservation SET state = 'refused', reason = $2 WHERE sub_order_id = $1
