-- Does nothing: how long SQLite waits for its one lock is the pool's busy timeout. Safe: reads only.
SELECT $1
