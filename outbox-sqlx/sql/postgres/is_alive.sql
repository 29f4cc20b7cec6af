-- Asked just before COMMIT: fails when an earlier statement made Postgres give the transaction up. Safe: reads nothing.
SELECT 1
