-- First step of a redrive: locks the shard against a relay's burying and parking (they hold it FOR SHARE), and
-- makes its owner read again from the row that comes back. Safe: one row.
UPDATE outbox_shard SET rewind_to = least(coalesce(rewind_to, $2), $2) WHERE shard = $1
