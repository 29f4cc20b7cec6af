-- Sets stock aside, if there is enough. Parameters: quantity, quantity, merchant, sku, quantity. Safe: the condition and
-- the change are one statement, which decides by what is committed, so that of two who race for the last item one changes
-- no row. Articles are taken in one order, so that nobody meets a deadlock.
UPDATE stock SET available = available - ?, reserved = reserved + ?
 WHERE merchant = ? AND sku = ? AND available >= ?
