-- The hot fetch: a relay that owns every shard, with nothing to leave out. Safe: one statement and so one snapshot, no
-- lock; two walks along an index that stop at their limit, and a limit of 0 touches nothing.
--
-- Due rows come first: they are few, and a page that is full by weight must not be full of fresh rows only. Pairs are
-- compared by hand, because neither server walks an index by a comparison of rows.
(SELECT id, message_id, shard, topic, message_key, payload, headers,
        COALESCE(TIMESTAMPDIFF(MICROSECOND, '1970-01-01', created_at), 0),
        CASE WHEN due_at IS NOT NULL
             THEN COALESCE(TIMESTAMPDIFF(MICROSECOND, '1970-01-01', due_at), -62135596800000000)
        END,
        hold, attempts
   FROM outbox FORCE INDEX (outbox_due)
  WHERE due_at <= UTC_TIMESTAMP(6)
    AND due_at >= COALESCE(TIMESTAMP'1970-01-01 00:00:00' + INTERVAL ?4 MICROSECOND, '0000-00-00 00:00:00')
    AND (?4 IS NULL OR due_at > TIMESTAMP'1970-01-01 00:00:00' + INTERVAL ?4 MICROSECOND OR id > ?5)
    AND hold < 2
  ORDER BY due_at, id
  LIMIT ?6)
UNION ALL
(SELECT id, message_id, shard, topic, message_key, payload, headers,
        COALESCE(TIMESTAMPDIFF(MICROSECOND, '1970-01-01', created_at), 0),
        CASE WHEN due_at IS NOT NULL
             THEN COALESCE(TIMESTAMPDIFF(MICROSECOND, '1970-01-01', due_at), -62135596800000000)
        END,
        hold, attempts
   FROM outbox FORCE INDEX (PRIMARY)
  WHERE id > ?1
    AND id <= ?2
    AND due_at IS NULL
  ORDER BY id
  LIMIT ?3)
