-- Claims a shard that relay_lease_free.sql has locked in this transaction. Safe: the new epoch shuts out whoever held it
-- before. The rewind goes, because a gained shard is read from the beginning.
UPDATE outbox_shard
   SET owner = ?1, epoch = epoch + 1, lease_until = UTC_TIMESTAMP(6) + INTERVAL ?2 MICROSECOND, rewind_to = NULL
 WHERE shard = ?3
