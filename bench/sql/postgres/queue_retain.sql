-- Messages at the offsets $1 to $2 of each queue, interleaved as appending leaves them. Safe: plain insert.
INSERT INTO outbox_queue_message (queue_id, queue_offset, message_id, message_key, payload, headers, created_at)
SELECT q.id, n, gen_random_uuid(), 'key-' || lpad(((n * 8 + q.number) % 1000)::text, 12, '0'),
       convert_to($3 || lpad(n::text, 10, '0') || $4, 'UTF8'), '{}', now()
  FROM generate_series($1::bigint, $2::bigint) AS n
 CROSS JOIN LATERAL (SELECT id, number FROM outbox_queue WHERE n >= 0 ORDER BY id OFFSET 0) AS q
