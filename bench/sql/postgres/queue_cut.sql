-- Removes what lies at this offset and above, in each queue. Safe: nobody reads or appends meanwhile.
DELETE FROM outbox_queue_message m USING outbox_queue q WHERE m.queue_id = q.id AND m.queue_offset >= $1
