-- Frees the queues of members that are gone, and counts it as a death: they did not give them back. What they may have
-- had in hand is at most ?2 messages above the cursor. Safe: run under the group's lock. It waits for no appending: an UPDATE
-- of one table reads others without locks in READ COMMITTED, one of a join would lock the queues' rows.
UPDATE outbox_group_queue
   SET owner = NULL,
       deaths = deaths + 1,
       suspect_to = GREATEST(suspect_to, LEAST(read_offset + ?2, (SELECT q.next_offset
                                                                    FROM outbox_queue q
                                                                   WHERE q.id = outbox_group_queue.queue_id)))
 WHERE group_id = ?1
   AND owner IS NOT NULL
   AND NOT EXISTS (SELECT 1
                     FROM outbox_group_member m
                    WHERE m.group_id = outbox_group_queue.group_id
                      AND m.member = outbox_group_queue.owner)
