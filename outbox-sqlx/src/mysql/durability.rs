use std::fmt;

use sqlx::MySqlPool;

use crate::error::OutboxError;
use transaction_scope::sql;

const DURABILITY: &str = sql!("mysql/durability.sql");

/// What MySQL or MariaDB promises about a commit that it answered.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Durability {
    /// `innodb_flush_log_at_trx_commit`: 1, a commit's log is on the disk before it is answered; 2, it is the operating
    /// system's; 0, it is still the server's own.
    pub flush_log_at_commit: i64,
    /// Whether there is a binary log, which replicas read.
    pub binary_log: bool,
    /// `sync_binlog`: after how many commits the binary log is written through; 0, when the operating system likes.
    pub sync_binary_log: i64,
}

impl Durability {
    /// Whether a commit that was answered survives a crash of the server, and replicas are not ahead of it.
    pub fn is_safe(&self) -> bool {
        self.flush_log_at_commit == 1 && (!self.binary_log || self.sync_binary_log == 1)
    }
}

impl fmt::Display for Durability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_safe() {
            return f.write_str("a commit survives a crash of the server");
        }
        if self.flush_log_at_commit != 1 {
            write!(
                f,
                "innodb_flush_log_at_trx_commit is {}: a message can be delivered whose transaction a crash undoes",
                self.flush_log_at_commit
            )?;
        }
        if self.binary_log && self.sync_binary_log != 1 {
            let separator = if self.flush_log_at_commit == 1 { "" } else { "; " };
            write!(
                f,
                "{separator}sync_binlog is {}: after a crash the binary log may lack what was committed",
                self.sync_binary_log
            )?;
        }
        Ok(())
    }
}

/// Looks at what the server promises about commits, and warns in the log when that is too little: then other sessions
/// see, and a relay delivers, rows that are gone after a crash.
///
/// # Errors
/// The database can't be asked.
pub async fn check_durability(pool: &MySqlPool) -> Result<Durability, OutboxError> {
    let (flush_log_at_commit, binary_log, sync_binary_log): (i64, bool, i64) = sqlx::query_as(DURABILITY)
        .fetch_one(pool)
        .await
        .map_err(OutboxError::database("asking for the durability settings"))?;
    let durability = Durability {
        flush_log_at_commit,
        binary_log,
        sync_binary_log,
    };
    if !durability.is_safe() {
        tracing::warn!("{durability}");
    }
    Ok(durability)
}
