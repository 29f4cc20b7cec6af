use std::fmt;

use sqlx::PgPool;

use crate::error::OutboxError;
use transaction_scope::sql;

const DURABILITY: &str = sql!("postgres/durability.sql");

/// What Postgres promises about a commit that it answered.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Durability {
    /// The session's `synchronous_commit`.
    pub synchronous_commit: String,
    /// Whether the server writes through to the disk.
    pub fsync: bool,
    /// Whether a page torn by a power loss can be repaired.
    pub full_page_writes: bool,
}

impl Durability {
    /// Whether a commit that was answered survives a crash of the server.
    pub fn is_safe(&self) -> bool {
        self.synchronous_commit != "off" && self.fsync && self.full_page_writes
    }
}

impl fmt::Display for Durability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_safe() {
            return f.write_str("a commit survives a crash of the server");
        }
        let mut first = true;
        for (bad, text) in [
            (
                self.synchronous_commit == "off",
                "synchronous_commit is off: a message can be delivered whose transaction a crash undoes",
            ),
            (!self.fsync, "fsync is off: a power loss can destroy the database"),
            (
                !self.full_page_writes,
                "full_page_writes is off: a power loss can destroy pages",
            ),
        ] {
            if bad {
                f.write_str(if first { "" } else { "; " })?;
                f.write_str(text)?;
                first = false;
            }
        }
        Ok(())
    }
}

/// Looks at what the server and this pool's sessions promise about commits, and warns in the log when that
/// is too little: with `synchronous_commit = off` other sessions see, and a relay delivers, rows that are
/// gone after a crash.
///
/// # Errors
/// The database can't be asked.
pub async fn check_durability(pool: &PgPool) -> Result<Durability, OutboxError> {
    let (synchronous_commit, fsync, full_page_writes): (String, String, String) = sqlx::query_as(DURABILITY)
        .fetch_one(pool)
        .await
        .map_err(OutboxError::database("asking for the durability settings"))?;
    let durability = Durability {
        synchronous_commit,
        fsync: fsync == "on",
        full_page_writes: full_page_writes == "on",
    };
    if !durability.is_safe() {
        tracing::warn!("{durability}");
    }
    Ok(durability)
}
