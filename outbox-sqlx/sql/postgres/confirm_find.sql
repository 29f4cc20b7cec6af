-- What waits under message id $1. Safe: reads only, and locks nothing: each row is locked by its primary key afterwards, as the
-- sweep locks it. By this index first, the two would take a row's locks in two orders.
SELECT id FROM outbox_awaiting WHERE message_id = $1 ORDER BY id
