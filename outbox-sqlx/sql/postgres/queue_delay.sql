-- Keeps messages until they are due: $7 microseconds from now by this database's clock, or at $8 microseconds since
-- 1970. Safe: plain insert; ids are assigned in the arrays' order.
INSERT INTO outbox_delayed (topic_id, message_id, message_key, payload, headers, created_at, due_at)
SELECT topic_id, message_id, message_key, payload, headers::json,
       timestamptz 'epoch' + created_at * interval '1 microsecond',
       coalesce(clock_timestamp() + after_micros * interval '1 microsecond',
                timestamptz 'epoch' + at_micros * interval '1 microsecond')
  FROM unnest($1::integer[], $2::uuid[], $3::text[], $4::bytea[], $5::text[], $6::bigint[], $7::bigint[], $8::bigint[])
       AS m (topic_id, message_id, message_key, payload, headers, created_at, after_micros, at_micros)
