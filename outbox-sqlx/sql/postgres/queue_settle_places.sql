-- Moves the group's places: [queue, epoch, offset, recovered]. Safe: only under the epoch, and never back; a loss in a
-- crash of the server makes duplicates.
UPDATE outbox_group_queue g
   SET read_offset = greatest(g.read_offset, (e->>2)::bigint),
       deaths = CASE WHEN (e->>3)::boolean THEN 0 ELSE g.deaths END
  FROM json_array_elements($2::json) AS e
 WHERE g.group_id = $1
   AND g.queue_id = (e->>0)::integer
   AND g.epoch = (e->>1)::bigint
