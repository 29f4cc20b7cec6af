-- Starts the time in which an order has to be paid (the first parameter, in microseconds), by the clock of the
-- database.
UPDATE main_order SET pay_by = CAST(unixepoch('subsec') * 1000000 AS INTEGER) + $1 WHERE id = $2
