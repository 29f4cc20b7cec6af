-- The clock that says when a letter dies, in microseconds since 1970. Safe: reads only.
SELECT TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6))
