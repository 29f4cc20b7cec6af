-- Removes what was brought into its queue. Safe: in the transaction that has appended it.
DELETE FROM outbox_delayed
 WHERE topic_id = $1
   AND due_at <= CAST(unixepoch('subsec') * 1000 AS INTEGER) * 1000
   AND id IN (SELECT value FROM json_each($2))
