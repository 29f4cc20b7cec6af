-- A part of a backlog, at most 100,000 messages: payloads are two texts (1, 2) around a number, the topic (3) and over how
-- many keys (4) follow, the numbers begin after another (5), and so many they are (6). The shards are those that the library
-- would give them. Safe: plain insert. STRAIGHT_JOIN and ORDER BY: the ids follow the numbers.
INSERT INTO outbox (message_id, shard, topic, message_key, payload)
SELECT UNHEX(REPLACE(UUID(), '-', '')),
       CONV(SUBSTR(MD5(CONCAT(topic, CHAR(31 USING utf8mb4), message_key)), 1, 4), 16, 10) % 64,
       topic, message_key, CONCAT(?, LPAD(n, 10, '0'), ?)
  FROM (SELECT n, ? AS topic, CONCAT('key-', LPAD(n % ?, 12, '0')) AS message_key
          FROM (SELECT ? + 1 + a.n * 10000 + b.n * 1000 + c.n * 100 + d.n * 10 + e.n AS n
                  FROM bench_digit a STRAIGHT_JOIN bench_digit b STRAIGHT_JOIN bench_digit c
                  STRAIGHT_JOIN bench_digit d STRAIGHT_JOIN bench_digit e) AS numbers
         ORDER BY n
         LIMIT ?) AS messages
