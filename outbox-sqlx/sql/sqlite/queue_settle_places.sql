-- Moves the group's places: [queue, epoch, offset, recovered]. Safe: only under the epoch, and never back; a loss in a
-- crash of the server makes duplicates.
UPDATE outbox_group_queue AS g
   SET read_offset = max(g.read_offset, e.value ->> 2),
       deaths = CASE WHEN e.value ->> 3 THEN 0 ELSE g.deaths END
  FROM json_each($2) AS e
 WHERE g.group_id = $1
   AND g.queue_id = (e.value ->> 0)
   AND g.epoch = (e.value ->> 1)
