-- Frees queues of members that are gone, given as [queue, end] pairs, and counts it as a death: they did not give them back.
-- What they may have had in hand is at most $2 messages above the group's place, and at most $3 where its owner died
-- before: it was careful. Safe: run under the group's lock, which whoever takes a queue holds.
UPDATE outbox_group_queue g
   SET owner = NULL,
       deaths = g.deaths + 1,
       suspect_to = least(g.read_offset + CASE WHEN g.deaths = 0 THEN $2 ELSE $3 END, (e->>1)::bigint)
  FROM json_array_elements($4::json) AS e
 WHERE g.group_id = $1
   AND g.queue_id = (e->>0)::integer
