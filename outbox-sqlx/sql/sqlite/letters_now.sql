-- The clock that says when a letter dies, in microseconds since 1970, rounded as the tables' defaults are: it is never behind
-- a letter that is there. Safe: reads only.
SELECT CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER) * 1000
