-- The dead letters that are above the group's places, given as [queue, place] pairs. Safe: reads only.
SELECT d.queue_id::bigint, d.queue_offset
  FROM json_array_elements($2::json) AS e
  JOIN outbox_group_dead d
    ON d.group_id = $1 AND d.queue_id = (e->>0)::integer AND d.queue_offset >= (e->>1)::bigint
