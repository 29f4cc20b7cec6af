-- Removes what lies at this offset and above, in each queue. Safe: nobody reads or appends meanwhile.
DELETE m FROM outbox_queue q STRAIGHT_JOIN outbox_queue_message m ON m.queue_id = q.id AND m.queue_offset >= ?
