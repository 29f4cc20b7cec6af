-- Frees the queues of members that are gone, and counts it as a death: they did not give them back. What they may have
-- had in hand is at most $2 messages above the cursor. Safe: run under the group's lock.
UPDATE outbox_group_queue g
   SET owner = NULL,
       deaths = g.deaths + 1,
       suspect_to = greatest(g.suspect_to, least(g.read_offset + $2, q.next_offset))
  FROM outbox_queue q
 WHERE q.id = g.queue_id
   AND g.group_id = $1
   AND g.owner IS NOT NULL
   AND NOT EXISTS (SELECT FROM outbox_group_member m WHERE m.group_id = g.group_id AND m.member = g.owner)
