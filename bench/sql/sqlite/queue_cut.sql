-- Removes what lies at this offset and above, in each queue. Safe: nobody reads or appends meanwhile.
DELETE FROM outbox_queue_message WHERE (queue_id, queue_offset) IN
    (SELECT m.queue_id, m.queue_offset FROM outbox_queue q
       CROSS JOIN outbox_queue_message m ON m.queue_id = q.id AND m.queue_offset >= $1)
