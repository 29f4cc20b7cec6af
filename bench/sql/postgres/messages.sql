INSERT INTO bench_message (message_id, shard, topic, message_key, payload)
SELECT * FROM unnest($1::uuid[], $2::smallint[], $3::text[], $4::text[], $5::bytea[])
