-- Appends messages to queues, all of them or none. $1 to $3: each queue by its id, how many messages it gets, and how many
-- queues its topic has as the caller sees it; the rest: the messages, each with its queue as a place in $1 (from 1) and its
-- own place among those of the queue, best sorted by both.
-- Safe: the queues' rows are locked in one order and to the end of the transaction, so offsets are dense and follow the
-- commits. Where a topic has grown meanwhile nothing is written, and 0 is the answer.
-- (Arrays that are subscripted instead of a join, and times as times: that saves a tenth of the whole.)
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
), bases AS (
    SELECT array_agg(id ORDER BY id) AS ids, array_agg(base ORDER BY id) AS bases FROM moved
)
INSERT INTO outbox_queue_message (queue_id, queue_offset, message_id, message_key, payload, headers, created_at)
SELECT b.ids[m.queue], b.bases[m.queue] + m.place, m.message_id, m.message_key, m.payload, m.headers::json, m.created_at
  FROM bases b
 CROSS JOIN unnest($4::integer[], $5::bigint[], $6::uuid[], $7::text[], $8::bytea[], $9::text[], $10::timestamptz[])
       AS m (queue, place, message_id, message_key, payload, headers, created_at)
 WHERE b.ids IS NOT NULL
