-- The confirmations that messages which wait have had; $1: their ids in the outbox, a JSON array. Safe: reads only.
SELECT a.id, a.at_least, a.confirm_groups, c.group_name, c.confirmed_at
  FROM outbox_awaiting a
  JOIN outbox_confirmation c ON c.message_id = a.message_id
 WHERE a.id IN (SELECT value FROM json_each($1))
 ORDER BY a.id, c.confirmed_at, c.group_name
