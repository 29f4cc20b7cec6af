-- How many milliseconds this session waits for a lock. Safe: this session only, which is closed after its check.
SELECT set_config('lock_timeout', $1::text, false)
