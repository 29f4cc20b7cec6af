-- Removes what was brought into its queue. Safe: in the transaction that has appended it.
DELETE FROM outbox_delayed
 WHERE topic_id = $1
   AND due_at <= clock_timestamp()
   AND id IN (SELECT value::bigint FROM json_array_elements_text($2::json))
