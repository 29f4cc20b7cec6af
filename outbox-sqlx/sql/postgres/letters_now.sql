-- The clock that says when a letter dies, in microseconds since 1970. Safe: reads only.
SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint
