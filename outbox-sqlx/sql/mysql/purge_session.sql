-- Makes all transactions of this session, which is closed after the purge, READ COMMITTED: purging locks no gaps. Safe:
-- this session only.
SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED
