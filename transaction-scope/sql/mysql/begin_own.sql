-- Begins a transaction of the library's own. READ COMMITTED: each statement sees what was committed when it began, and
-- locks are on rows, never on the gaps into which applications insert. Safe: SET TRANSACTION without SESSION counts for
-- the next transaction only.
SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
START TRANSACTION
