-- What this server promises about a commit. Safe: reads settings only.
SELECT CAST(@@global.innodb_flush_log_at_trx_commit AS SIGNED), @@global.log_bin, CAST(@@global.sync_binlog AS SIGNED)
