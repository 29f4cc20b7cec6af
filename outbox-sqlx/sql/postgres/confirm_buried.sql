-- What was given up for want of confirmations under message id $1. Safe: reads only.
SELECT id, headers::text FROM outbox_dead WHERE message_id = $1 AND reason = 'unconfirmed' ORDER BY id
