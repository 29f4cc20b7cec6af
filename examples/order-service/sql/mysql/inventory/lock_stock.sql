-- Reads a stock item and lets nobody else change it until the transaction ends, so that of two who want the last one
-- the second finds none. Whoever locks several does so by article, and meets no deadlock. Safe: one row by its
-- primary key, as it is committed.
SELECT on_hand, available, reserved, sold FROM stock WHERE merchant = ? AND sku = ? FOR UPDATE
