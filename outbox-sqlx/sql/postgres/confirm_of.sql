-- The confirmations that messages which wait have had; $1: their ids in the outbox, a JSON array. Safe: reads only.
SELECT a.id, a.at_least::bigint, a.confirm_groups::text, c.group_name,
       (extract(epoch FROM c.confirmed_at) * 1000000)::bigint
  FROM outbox_awaiting a
  JOIN outbox_confirmation c ON c.message_id = a.message_id
 WHERE a.id = ANY (ARRAY(SELECT value::bigint FROM json_array_elements_text($1::json)))
 ORDER BY a.id, c.confirmed_at, c.group_name
