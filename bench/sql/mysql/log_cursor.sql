-- The bare reader writes down how far it is.
UPDATE bench_cursor SET read_offset = ? WHERE reader = 1
