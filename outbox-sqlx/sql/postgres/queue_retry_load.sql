-- The content of retries, given as [queue, offset] pairs. Safe: reads only.
SELECT r.queue_id::bigint, r.queue_offset, r.message_id, r.message_key, r.payload, r.headers::text, (extract(epoch FROM r.created_at) * 1000000)::bigint
  FROM json_array_elements($2::json) AS e
  JOIN outbox_group_retry r
    ON r.group_id = $1 AND r.queue_id = (e->>0)::integer AND r.queue_offset = (e->>1)::bigint
