-- Sets stock aside, if there is enough: the condition and the change are one statement, so that of two who race for
-- the last item one changes no row.
UPDATE stock SET available = available - $3, reserved = reserved + $3
 WHERE merchant = $1 AND sku = $2 AND available >= $3
