-- Messages at the offsets $1 to $2 of each queue, in the order of the table. Safe: plain insert.
WITH RECURSIVE series (n) AS (SELECT $1 UNION ALL SELECT n + 1 FROM series WHERE n < $2)
INSERT INTO outbox_queue_message (queue_id, queue_offset, message_id, message_key, payload, headers, created_at)
SELECT q.id, n, randomblob(16), printf('key-%012d', (n * 8 + q.number) % 1000),
       CAST($3 || printf('%010d', n) || $4 AS BLOB), '{}', unixepoch() * 1000000
  FROM outbox_queue q CROSS JOIN series
