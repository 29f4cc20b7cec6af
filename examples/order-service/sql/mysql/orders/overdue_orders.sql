-- Orders that should have been closed so many microseconds ago (the first parameter), the first of them first: by an
-- index that has only those which wait. Safe: a plain read; whether one is closed is decided when it is locked.
SELECT id FROM main_order
 WHERE state = 'awaiting_payment' AND pay_by < UTC_TIMESTAMP(6) - INTERVAL ? MICROSECOND
 ORDER BY pay_by
 LIMIT ?
