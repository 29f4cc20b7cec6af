-- Turns the reservation of this transaction into a refusal. Safe: its own row.
UPDATE reservation SET state = 'refused', reason = ? WHERE sub_order_id = ?
