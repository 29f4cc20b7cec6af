-- Frees queues of members that are gone, given as [queue, end] pairs, and counts it as a death: they did not give them back.
-- What they may have had in hand is at most ?2 messages above the cursor. Safe: run under the group's lock, which whoever
-- takes a queue holds.
UPDATE JSON_TABLE(?3, '$[*]' COLUMNS (queue_id INT PATH '$[0]', next_offset BIGINT PATH '$[1]')) AS e
 STRAIGHT_JOIN outbox_group_queue g FORCE INDEX (PRIMARY) ON g.group_id = ?1 AND g.queue_id = e.queue_id
   SET g.owner = NULL,
       g.deaths = g.deaths + 1,
       g.suspect_to = GREATEST(g.suspect_to, LEAST(g.read_offset + ?2, e.next_offset))
