-- How many milliseconds this session waits for a lock, which the server counts in whole seconds. Safe: this session only,
-- which is closed after its check.
SET SESSION innodb_lock_wait_timeout = (?1 + 999) DIV 1000
