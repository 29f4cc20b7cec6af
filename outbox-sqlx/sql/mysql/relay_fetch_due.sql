-- The due rows. Safe: a walk along their index that stops at its limit; no lock.
--
-- A row that waits for its retry comes although its key is left out: it is what holds the key. A shard number out of
-- range counts as 0, whatever the pass: such a row was taken once and must not wait for the next full pass at each
-- retry.
SELECT id, message_id, shard, topic, message_key, payload, headers,
        COALESCE(TIMESTAMPDIFF(MICROSECOND, '1970-01-01', created_at), 0),
        CASE WHEN due_at IS NOT NULL
             THEN COALESCE(TIMESTAMPDIFF(MICROSECOND, '1970-01-01', due_at), -62135596800000000)
        END,
        hold, attempts
   FROM outbox FORCE INDEX (outbox_due)
  WHERE due_at <= UTC_TIMESTAMP(6)
    AND due_at >= COALESCE(TIMESTAMP'1970-01-01 00:00:00' + INTERVAL ?1 MICROSECOND, '0000-00-00 00:00:00')
    AND (?1 IS NULL OR due_at > TIMESTAMP'1970-01-01 00:00:00' + INTERVAL ?1 MICROSECOND OR id > ?2)
    AND hold < 2
    AND (?4 >> CASE WHEN shard BETWEEN 0 AND 63 THEN shard ELSE 0 END) & 1
    AND (hold = 1
         OR topic NOT IN (SELECT x.topic FROM JSON_TABLE(?6, '$[*]' COLUMNS (topic VARCHAR(255) PATH '$')) AS x)
            AND (message_key IS NULL
                 OR (topic, message_key) NOT IN
                    (SELECT x.topic, x.message_key
                       FROM JSON_TABLE(?5, '$[*]' COLUMNS (topic VARCHAR(255) PATH '$[0]',
                                                           message_key VARCHAR(255) PATH '$[1]')) AS x)))
  ORDER BY due_at, id
  LIMIT ?3
