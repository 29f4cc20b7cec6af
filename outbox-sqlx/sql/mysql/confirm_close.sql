-- Messages wait no longer, ?1 as a JSON array of their ids in the outbox: they were confirmed, or copied elsewhere by the same
-- transaction. Safe: rows by their keys, in the order of the list.
DELETE a
  FROM JSON_TABLE(?1, '$[*]' COLUMNS (id BIGINT PATH '$')) AS gone
 STRAIGHT_JOIN outbox_awaiting a FORCE INDEX (PRIMARY) ON a.id = gone.id
