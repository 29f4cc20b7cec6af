-- Each queue ends at this offset: what was written by hand is known to the queue.
UPDATE outbox_queue SET next_offset = ?
