-- Writes one delayed message: $7 microseconds from now by this database's clock, or at $8 microseconds since
-- 1970. Safe: plain insert. clock_timestamp, because now() is when the transaction began.
INSERT INTO outbox (message_id, shard, topic, message_key, payload, headers, due_at)
VALUES ($1, $2, $3, $4, $5, $6::json,
        coalesce(clock_timestamp() + $7::bigint * interval '1 microsecond',
                 timestamptz 'epoch' + $8::bigint * interval '1 microsecond'))
