-- Lets one answer after the other change an order. Without it the last two answers, heard at the same time, would each
-- see the other's sub-order as pending, and nobody would complete the order. Safe: one row by its primary key, which
-- everybody who changes an order locks first; as a locking read it sees what is committed and no older snapshot.
SELECT id FROM main_order WHERE id = ? FOR UPDATE
