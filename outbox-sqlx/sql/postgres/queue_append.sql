-- Appends messages to queues, all of them or none. $1 and $2: each queue and how many it gets; $3: how many queues the
-- topic of each has, as the caller sees it; the rest: the messages, with their place among those of their queue.
-- Safe: the queues' rows are locked in one order and to the end of the transaction, so offsets are dense and follow the
-- commits. Where a topic has grown meanwhile nothing is written, and 0 is the answer.
WITH target AS (
    SELECT * FROM unnest($1::integer[], $2::bigint[], $3::integer[]) AS t (id, messages, siblings)
), locked AS MATERIALIZED (
    SELECT q.id, q.siblings FROM outbox_queue q WHERE q.id = ANY ($1) ORDER BY q.id FOR NO KEY UPDATE
), moved AS (
    UPDATE outbox_queue q
       SET next_offset = q.next_offset + t.messages
      FROM target t
     WHERE q.id = t.id
       AND (SELECT count(*) FROM locked l JOIN target t ON t.id = l.id AND t.siblings = l.siblings) = cardinality($1)
    RETURNING q.id, q.next_offset - t.messages AS base
)
INSERT INTO outbox_queue_message (queue_id, queue_offset, message_id, message_key, payload, headers, created_at)
SELECT moved.id, moved.base + m.place, m.message_id, m.message_key, m.payload, m.headers::json,
       timestamptz 'epoch' + m.created_at * interval '1 microsecond'
  FROM unnest($4::integer[], $5::bigint[], $6::uuid[], $7::text[], $8::bytea[], $9::text[], $10::bigint[])
       AS m (queue_id, place, message_id, message_key, payload, headers, created_at)
  JOIN moved ON moved.id = m.queue_id
