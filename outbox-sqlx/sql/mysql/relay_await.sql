-- Copies delivered rows whose messages ask to be confirmed to where they wait for that, before they are deleted by the same
-- transaction. ?1: [[id, groups, at least, microseconds to the deadline, most resends, resends, microseconds since 1970 of
-- the first delivery or null], …]. Safe: the rows are locked; one that waits already is left as it is.
INSERT INTO outbox_awaiting
       (id, message_id, shard, topic, message_key, payload, headers, created_at, attempts,
        confirm_groups, at_least, max_resends, resends, since, deadline_at)
SELECT o.id, o.message_id, o.shard, o.topic, o.message_key, o.payload, o.headers, o.created_at, o.attempts,
       f.confirm_groups, f.at_least, f.max_resends, f.resends,
       COALESCE(TIMESTAMP'1970-01-01 00:00:00' + INTERVAL f.since MICROSECOND, UTC_TIMESTAMP(6)),
       UTC_TIMESTAMP(6) + INTERVAL f.delay MICROSECOND
  FROM JSON_TABLE(?1, '$[*]' COLUMNS (id BIGINT PATH '$[0]', confirm_groups TEXT PATH '$[1]', at_least INT PATH '$[2]',
                                      delay BIGINT PATH '$[3]', max_resends INT PATH '$[4]', resends INT PATH '$[5]',
                                      since BIGINT PATH '$[6]')) AS f
 STRAIGHT_JOIN outbox o FORCE INDEX (PRIMARY) ON o.id = f.id
    ON DUPLICATE KEY UPDATE outbox_awaiting.id = outbox_awaiting.id
