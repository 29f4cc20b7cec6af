-- Lets one answer after the other change an order. Without it the last two answers, heard at the same time, would each
-- see the other's sub-order as pending, and nobody would complete the order.
SELECT id FROM main_order WHERE id = $1 FOR UPDATE
