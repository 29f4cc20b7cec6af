-- Frees queues of members that are gone, given as [queue, end] pairs, and counts it as a death: they did not give them back.
-- What they may have had in hand is at most ?2 messages above the group's place, and at most ?3 where its owner died
-- before: it was careful. Safe: run under the group's lock, which whoever takes a queue holds.
-- (The number of deaths goes up last: what was assigned before is seen by what is assigned after.)
UPDATE JSON_TABLE(?4, '$[*]' COLUMNS (queue_id INT PATH '$[0]', next_offset BIGINT PATH '$[1]')) AS e
 STRAIGHT_JOIN outbox_group_queue g FORCE INDEX (PRIMARY) ON g.group_id = ?1 AND g.queue_id = e.queue_id
   SET g.owner = NULL,
       g.suspect_to = LEAST(g.read_offset + CASE WHEN g.deaths = 0 THEN ?2 ELSE ?3 END, e.next_offset),
       g.deaths = g.deaths + 1
