-- Starts the time in which an order has to be paid (the first parameter, in microseconds), by the clock of the
-- database. Safe: the row is locked by this transaction.
UPDATE main_order SET pay_by = UTC_TIMESTAMP(6) + INTERVAL ? MICROSECOND WHERE id = ?
