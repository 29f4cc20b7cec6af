-- The dead letters that are above the group's places, given as [queue, place] pairs, and died since it was put or moved
-- there: a group that was moved back gets the others again. Safe: reads only.
SELECT d.queue_id::bigint, d.queue_offset
  FROM json_array_elements($2::json) AS e
  JOIN outbox_group_dead d
    ON d.group_id = $1 AND d.queue_id = (e->>0)::integer AND d.queue_offset >= (e->>1)::bigint
  JOIN outbox_group_queue g ON g.group_id = d.group_id AND g.queue_id = d.queue_id AND d.died_at > g.placed_at
