-- The database's clock, in microseconds since 1970. Safe: reads only.
SELECT CAST(unixepoch('subsec') * 1000 AS INTEGER) * 1000
