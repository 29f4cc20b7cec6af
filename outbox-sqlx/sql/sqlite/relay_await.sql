-- Copies delivered rows whose messages ask to be confirmed to where they wait for that, before they are deleted by the same
-- transaction. ?1: [[id, groups, at least, microseconds to the deadline, most resends, resends, microseconds since 1970 of
-- the first delivery or null], …]; ?2: now. Safe: the transaction holds the write lock; what waits is left as it is.
INSERT INTO outbox_awaiting
       (id, message_id, shard, topic, message_key, payload, headers, created_at, attempts,
        confirm_groups, at_least, max_resends, resends, since, deadline_at)
SELECT o.id, o.message_id, o.shard, o.topic, o.message_key, o.payload, o.headers, o.created_at, o.attempts,
       json_extract(f.value, '$[1]'), json_extract(f.value, '$[2]'), json_extract(f.value, '$[4]'),
       json_extract(f.value, '$[5]'), coalesce(json_extract(f.value, '$[6]'), ?2), ?2 + json_extract(f.value, '$[3]')
  FROM json_each(?1) AS f
 CROSS JOIN outbox o ON o.id = json_extract(f.value, '$[0]')
 WHERE true
    ON CONFLICT (id) DO NOTHING
