-- Writes many messages, some of them with headers or delayed. Safe: one statement, all or none; ids are
-- assigned in the arrays' order.
INSERT INTO outbox (message_id, shard, topic, message_key, payload, headers, due_at)
SELECT id, shard, topic, key, payload, coalesce(headers::json, '{}'),
       coalesce(clock_timestamp() + after_micros * interval '1 microsecond',
                timestamptz 'epoch' + at_micros * interval '1 microsecond')
  FROM unnest($1::uuid[], $2::smallint[], $3::text[], $4::text[], $5::bytea[], $6::text[], $7::bigint[], $8::bigint[])
       AS message (id, shard, topic, key, payload, headers, after_micros, at_micros)
