-- Messages wait no longer, $1 as a JSON array of their ids in the outbox: they were confirmed, or copied elsewhere by the same
-- transaction. Safe: rows by their keys.
DELETE FROM outbox_awaiting WHERE id IN (SELECT value FROM json_each($1))
