-- Notes who has handled what, $1 as [id in hex, group] pairs, whatever became of the messages meanwhile. Safe: the unique key
-- makes a second time nothing, and the pairs are in one order. Committed by itself, before anybody looks which were the last
-- that were missing.
INSERT INTO outbox_confirmation (message_id, group_name)
SELECT (e->>0)::uuid, e->>1 FROM json_array_elements($1::json) AS e
ON CONFLICT (message_id, group_name) DO NOTHING
