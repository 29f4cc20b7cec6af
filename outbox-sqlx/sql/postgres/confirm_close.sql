-- Messages wait no longer, $1 as a JSON array of their ids in the outbox: they were confirmed, or copied elsewhere by the same
-- transaction. Safe: rows by their keys, which the transaction has locked, or which only the relay that moved them knows.
DELETE FROM outbox_awaiting WHERE id = ANY (ARRAY(SELECT value::bigint FROM json_array_elements_text($1::json)))
