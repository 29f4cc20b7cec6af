-- Brings the statistics up to date, and writes to disk what is still to be written of the outbox. Safe: the table is
-- locked for that moment only.
ANALYZE TABLE outbox;
FLUSH TABLES outbox FOR EXPORT;
UNLOCK TABLES
