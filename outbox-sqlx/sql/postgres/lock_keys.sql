-- Locks keys until the transaction ends, so that the next insert's ids follow the order of the commits.
-- Safe against deadlock: each lock once, in one sorted order (the inner query is not flattened).
SELECT pg_advisory_xact_lock(hash)
  FROM (SELECT DISTINCT outbox_key_hash(topic, key) AS hash
          FROM unnest($1::text[], $2::text[]) AS message (topic, key)
         ORDER BY hash) AS keys
