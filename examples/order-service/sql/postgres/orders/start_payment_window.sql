-- Starts the time in which an order has to be paid (the first parameter, in microseconds), by the clock of the
-- database.
UPDATE main_order SET pay_by = clock_timestamp() + $1 * interval '1 microsecond' WHERE id = $2
