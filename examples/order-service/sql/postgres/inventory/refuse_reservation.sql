-- Turns the reservation of this transaction into a refusal.
UPDATE reservation SET state = 'refused', reason = $1 WHERE sub_order_id = $2
