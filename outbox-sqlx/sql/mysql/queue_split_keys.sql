-- The keyed retries of a queue below the split, whoever has put them there. Safe: run under the group's lock, which a
-- redrive takes too.
SELECT queue_offset, message_key
  FROM outbox_group_retry
 WHERE group_id = ?1
   AND queue_id = ?2
   AND queue_offset < ?3
   AND message_key IS NOT NULL
