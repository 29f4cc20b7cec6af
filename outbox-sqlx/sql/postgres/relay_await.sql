-- Moves delivered rows whose messages ask to be confirmed to where they wait for that, in one statement; $8: the archive
-- gets a copy. Times are microseconds: $4 from now to the deadline, $7 since 1970, NULL for the first delivery. Safe
-- without a fence, and for two settlers of one row: one of them moves it, the other finds nothing.
WITH gone AS (
    DELETE FROM outbox o
     USING unnest($1::bigint[], $2::text[], $3::integer[], $4::bigint[], $5::integer[], $6::integer[], $7::bigint[])
           AS f (id, confirm_groups, at_least, delay, max_resends, resends, since)
     WHERE o.id = f.id
    RETURNING o.id, o.message_id, o.shard, o.topic, o.message_key, o.payload, o.headers, o.created_at, o.attempts,
              f.confirm_groups, f.at_least, f.delay, f.max_resends, f.resends, f.since
), kept AS (
    INSERT INTO outbox_archive (id, message_id, shard, topic, message_key, payload, headers, created_at, attempts)
    SELECT id, message_id, shard, topic, message_key, payload, headers, created_at, attempts FROM gone WHERE $8
    ON CONFLICT (id) DO NOTHING
)
INSERT INTO outbox_awaiting
       (id, message_id, shard, topic, message_key, payload, headers, created_at, attempts,
        confirm_groups, at_least, max_resends, resends, since, deadline_at)
SELECT id, message_id, shard, topic, message_key, payload, headers, created_at, attempts,
       confirm_groups::json, at_least, max_resends, resends,
       coalesce(timestamptz 'epoch' + since * interval '1 microsecond', now()),
       now() + delay * interval '1 microsecond'
  FROM gone
ON CONFLICT (id) DO NOTHING
