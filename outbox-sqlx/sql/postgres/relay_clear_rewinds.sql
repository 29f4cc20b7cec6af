-- Clears rewinds that were followed. Safe: one that was set again meanwhile has another value and stays; one
-- that comes back after a crash is followed once more, which costs a pass and nothing else.
UPDATE outbox_shard s
   SET rewind_to = NULL
  FROM unnest($2::smallint[], $3::bigint[]) AS r (shard, rewind_to)
 WHERE s.shard = r.shard
   AND s.owner = $1
   AND s.rewind_to = r.rewind_to
