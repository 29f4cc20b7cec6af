-- The confirmations that messages which wait have had; ?1: their ids in the outbox, a JSON array. Safe: reads only.
SELECT a.id, CAST(a.at_least AS SIGNED), a.confirm_groups, c.group_name,
       TIMESTAMPDIFF(MICROSECOND, '1970-01-01', c.confirmed_at)
  FROM JSON_TABLE(?1, '$[*]' COLUMNS (id BIGINT PATH '$')) AS wanted
 STRAIGHT_JOIN outbox_awaiting a FORCE INDEX (PRIMARY) ON a.id = wanted.id
 STRAIGHT_JOIN outbox_confirmation c FORCE INDEX (PRIMARY) ON c.message_id = a.message_id
 ORDER BY a.id, c.confirmed_at, c.group_name
