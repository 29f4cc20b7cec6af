-- Messages at the offsets from ? to ? of each queue, interleaved as appending leaves them; payloads are two texts (3, 4)
-- around a number. Safe: plain insert.
INSERT INTO outbox_queue_message (queue_id, queue_offset, message_id, message_key, payload, headers, created_at)
SELECT q.id, m.n, UNHEX(REPLACE(UUID(), '-', '')), CONCAT('key-', LPAD((m.n * 8 + q.number) % 1000, 12, '0')),
       CONCAT(m.before_number, LPAD(m.n, 10, '0'), m.after_number), '{}', UTC_TIMESTAMP(6)
  FROM (SELECT numbers.low + a.n * 10000 + b.n * 1000 + c.n * 100 + d.n * 10 + e.n AS n, numbers.high,
               numbers.before_number, numbers.after_number
          FROM (SELECT ? AS low, ? AS high, ? AS before_number, ? AS after_number) AS numbers
          STRAIGHT_JOIN bench_digit a STRAIGHT_JOIN bench_digit b STRAIGHT_JOIN bench_digit c
          STRAIGHT_JOIN bench_digit d STRAIGHT_JOIN bench_digit e
         ORDER BY n
         LIMIT 100000) AS m
  STRAIGHT_JOIN outbox_queue q
 WHERE m.n <= m.high
