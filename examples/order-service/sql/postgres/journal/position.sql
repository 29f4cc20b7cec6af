-- Grows whenever something was sent or handled.
SELECT coalesce((SELECT max(seq) FROM journal_sent), 0) + coalesce((SELECT max(seq) FROM journal_handled), 0)
