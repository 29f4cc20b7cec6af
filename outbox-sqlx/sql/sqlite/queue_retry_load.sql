-- The content of retries, given as [queue, offset] pairs. Safe: reads only.
SELECT r.queue_id, r.queue_offset, r.message_id, r.message_key, r.payload, r.headers, r.created_at
  FROM json_each($2) AS e
  JOIN outbox_group_retry r
    ON r.group_id = $1 AND r.queue_id = (e.value ->> 0) AND r.queue_offset = (e.value ->> 1)
