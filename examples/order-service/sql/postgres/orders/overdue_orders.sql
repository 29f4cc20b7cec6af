-- Orders that should have been closed so many microseconds ago (the first parameter), the first of them first: by an
-- index that has only those which wait.
SELECT id FROM main_order
 WHERE state = 'awaiting_payment' AND pay_by < clock_timestamp() - $1 * interval '1 microsecond'
 ORDER BY pay_by
 LIMIT $2
