-- What was answered, and to which message. Safe: a locking read of one row, because the row was committed by somebody else
-- a moment ago, and the transaction's snapshot may be older.
SELECT request_id, reason FROM reservation WHERE sub_order_id = ? LOCK IN SHARE MODE
