-- Locks messages that wait, ?1 as a JSON array of their ids in the outbox, against the sweep and other confirmations. Safe: by
-- their keys, in the order of the list, and no gap, as the transaction is READ COMMITTED; nothing of those that wait no longer.
-- (MySQL wants to be told that the list itself is not to be locked; MariaDB doesn't know how.)
SELECT a.id, a.message_id
  FROM JSON_TABLE(?1, '$[*]' COLUMNS (id BIGINT PATH '$')) AS wanted
 STRAIGHT_JOIN outbox_awaiting a FORCE INDEX (PRIMARY) ON a.id = wanted.id
  /*!80000 FOR UPDATE OF a */ /*M! FOR UPDATE */
