-- Reads what follows in some queues: from each at most so many messages from an offset on. A last row without a queue
-- says that delayed messages of the topics $4 are due. Safe: reads only; whoever sees an offset sees all below it.
SELECT r.queue_id, m.queue_offset, m.message_id, m.message_key, m.payload, m.headers, m.created_at
  FROM unnest($1::integer[], $2::bigint[], $3::bigint[]) AS r (queue_id, from_offset, messages)
 CROSS JOIN LATERAL (
       SELECT *
         FROM outbox_queue_message
        WHERE queue_id = r.queue_id
          AND queue_offset >= r.from_offset
        ORDER BY queue_offset
        LIMIT r.messages
      ) AS m
UNION ALL
SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL
 WHERE EXISTS (SELECT FROM unnest($4::integer[]) AS topic (id)
                CROSS JOIN LATERAL (SELECT FROM outbox_delayed d
                                     WHERE d.topic_id = topic.id AND d.due_at <= now()
                                     LIMIT 1) AS due)
