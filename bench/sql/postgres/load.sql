-- A backlog of $1 messages over $2 keys, with the shards that the library would give them. Safe: plain insert.
INSERT INTO outbox (message_id, shard, topic, message_key, payload)
SELECT gen_random_uuid(), outbox_shard_of($3, key, NULL), $3, key,
       convert_to($4 || lpad(n::text, 10, '0') || $5, 'UTF8')
  FROM (SELECT n, 'key-' || lpad((n % $2)::text, 12, '0') AS key FROM generate_series(1, $1::bigint) AS n) AS numbers
 ORDER BY n
