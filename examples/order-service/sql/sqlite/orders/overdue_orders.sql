-- Orders that should have been closed so many microseconds ago (the first parameter), the first of them first: by an
-- index that has only those which wait.
SELECT id FROM main_order
 WHERE state = 'awaiting_payment' AND pay_by < CAST(unixepoch('subsec') * 1000000 AS INTEGER) - $1
 ORDER BY pay_by
 LIMIT $2
