-- Grows whenever something was sent or handled. Safe: reads only.
SELECT CAST(COALESCE((SELECT MAX(seq) FROM journal_sent), 0) + COALESCE((SELECT MAX(seq) FROM journal_handled), 0) AS SIGNED)
