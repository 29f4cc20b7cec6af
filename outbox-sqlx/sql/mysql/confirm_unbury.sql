-- Takes a message out of the dead letters that was confirmed after it had been given up. Safe: one row by its key, and only
-- while it is dead for that reason.
DELETE FROM outbox_dead WHERE id = ?1 AND reason = 'unconfirmed'
