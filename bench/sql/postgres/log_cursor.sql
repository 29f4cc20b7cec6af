-- The bare reader writes down how far it is.
UPDATE bench_cursor SET read_offset = $1 WHERE reader = 1
