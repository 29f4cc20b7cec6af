-- The bare log takes a batch: one INSERT of many rows.
INSERT INTO bench_log (queue_id, message_id, message_key, payload, headers, created_at)
SELECT queue_id, message_id, message_key, payload, headers::json,
       timestamptz 'epoch' + created_at * interval '1 microsecond'
  FROM unnest($1::integer[], $2::uuid[], $3::text[], $4::bytea[], $5::text[], $6::bigint[])
       AS m (queue_id, message_id, message_key, payload, headers, created_at)
