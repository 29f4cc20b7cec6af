use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use outbox_core::half::{Checker, TombstoneChecker};
use outbox_core::relay::{Relay, RelayConfig, RelayStore};
use outbox_core::{Message, MessageId, Publisher};
use outbox_sqlx::Outbox;
use outbox_sqlx::queue::{SqlLocalRecord, SqlQueue};
use sqlx::{AssertSqlSafe, MySqlPool, PgPool, SqlitePool};

/// A database of one kind with the tables of the workload: what an application would have.
#[derive(Debug, Clone)]
pub enum Backend {
    /// Postgres.
    Postgres(PgPool),
    /// MySQL or MariaDB.
    MySql(MySqlPool),
    /// SQLite.
    Sqlite(SqlitePool),
}

/// What became of one transaction of the workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Write {
    /// The commit was confirmed.
    Acknowledged(MessageId),
    /// It was rolled back on purpose.
    RolledBack(MessageId),
    /// The connection was lost: it may have committed.
    Unknown,
}

/// A row of the workload's business table: this transaction committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// The message it published.
    pub id: MessageId,
    /// Its key.
    pub key: String,
    /// Its place in its key's order.
    pub seq: i64,
}

/// The topic of all messages of the workload.
pub const TOPIC: &str = "work.done";

/// The same for each kind: sqlx's types differ, what is done with them doesn't.
#[macro_export]
macro_rules! on_pool {
    ($backend:expr, $pool:ident => $body:expr) => {
        match $backend {
            $crate::Backend::Postgres($pool) => $body,
            $crate::Backend::MySql($pool) => $body,
            $crate::Backend::Sqlite($pool) => $body,
        }
    };
}

impl Backend {
    /// Connects, migrates, and makes the workload's tables.
    pub async fn set_up(url: &str) -> Result<Self> {
        let backend = Self::connect(url).await?;
        // What is a key has a length on MySQL, and texts compare there as they are told to.
        let text = match backend {
            Self::MySql(_) => "VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin",
            _ => "TEXT",
        };
        let tables = [
            format!("CREATE TABLE IF NOT EXISTS aggregate (name {text} PRIMARY KEY, seq BIGINT NOT NULL)"),
            format!(
                "CREATE TABLE IF NOT EXISTS business (message_id {text} PRIMARY KEY, name {text} NOT NULL, seq BIGINT NOT NULL)"
            ),
        ];
        on_pool!(&backend, pool => {
            outbox_sqlx::migrate(pool).await?;
            for table in tables {
                sqlx::query(AssertSqlSafe(table)).execute(pool).await?;
            }
        });
        Ok(backend)
    }

    /// Connects.
    pub async fn connect(url: &str) -> Result<Self> {
        if url.starts_with("sqlite") {
            return Ok(Self::Sqlite(outbox_sqlx::sqlite::open(url).await?));
        }
        /// For the writers of a workload and what watches them.
        const CONNECTIONS: u32 = 24;
        /// A server that was killed takes a while to come back.
        const PATIENCE: Duration = Duration::from_secs(60);
        if url.starts_with("mysql") {
            let options = outbox_sqlx::mysql::pool_options()
                .max_connections(CONNECTIONS)
                .acquire_timeout(PATIENCE);
            return Ok(Self::MySql(options.connect(url).await?));
        }
        let options = sqlx::postgres::PgPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(PATIENCE);
        Ok(Self::Postgres(options.connect(url).await?))
    }

    /// The durable queue in it, whose members have leases of this length.
    pub fn queue(&self, lease: Duration) -> Result<SqlQueue> {
        Ok(on_pool!(self, pool => SqlQueue::builder(pool.clone()).lease(lease).build()?))
    }

    /// Asks after local work in it, and waits so long for what is not committed yet.
    pub fn tombstone_checker(&self, patience: Duration) -> Arc<dyn Checker> {
        on_pool!(self, pool => {
            let record = SqlLocalRecord::new(pool.clone()).with_patience(patience);
            Arc::new(TombstoneChecker::new(record))
        })
    }

    /// Moves the time at which half messages are asked after next to now.
    pub async fn make_half_messages_due(&self) -> Result<u64> {
        self.execute("UPDATE outbox_half SET next_check_at = prepared_at WHERE state = 'prepared'")
            .await
    }

    /// A statement in the database's own words.
    pub fn ask(&self, others: &'static str, mysql: &'static str) -> &'static str {
        match self {
            Self::MySql(_) => mysql,
            Self::Postgres(_) | Self::Sqlite(_) => others,
        }
    }

    /// One transaction of an application: locks the aggregate, changes it, publishes, and commits or
    /// rolls back.
    pub async fn write(&self, outbox: &Outbox, key: &str, roll_back: bool) -> Write {
        let add = self.ask(
            "INSERT INTO aggregate (name, seq) VALUES ($1, 1) ON CONFLICT (name) DO UPDATE SET seq = aggregate.seq + 1",
            "INSERT INTO aggregate (name, seq) VALUES (?, 1) ON DUPLICATE KEY UPDATE seq = seq + 1",
        );
        let note = self.ask(
            "INSERT INTO business (message_id, name, seq) VALUES ($1, $2, $3)",
            "INSERT INTO business (message_id, name, seq) VALUES (?, ?, ?)",
        );
        let written: Result<Write> = on_pool!(self, pool => async {
            let mut tx = outbox.begin(pool).await?;
            sqlx::query(add).bind(key).execute(&mut *tx).await?;
            // The row is this transaction's by now, so whatever its isolation it sees what it wrote.
            let seq: i64 = sqlx::query_scalar(self.ask("SELECT seq FROM aggregate WHERE name = $1", "SELECT seq FROM aggregate WHERE name = ?"))
                .bind(key)
                .fetch_one(&mut *tx)
                .await?;
            let message = Message::builder(TOPIC).key(key).payload(seq.to_string(), "text/plain");
            let id = outbox.publish(&mut tx, message).await?;
            sqlx::query(note)
                .bind(id.to_string())
                .bind(key)
                .bind(seq)
                .execute(&mut *tx)
                .await?;
            if roll_back {
                tx.rollback().await?;
                return Ok(Write::RolledBack(id));
            }
            tx.commit().await?;
            Ok(Write::Acknowledged(id))
        }
        .await);
        written.unwrap_or_else(|error| {
            tracing::debug!(%error, "a transaction of the workload failed");
            Write::Unknown
        })
    }

    /// Everything that committed.
    pub async fn committed(&self) -> Result<Vec<Committed>> {
        let rows: Vec<(String, String, i64)> = on_pool!(self, pool => sqlx::query_as("SELECT message_id, name, seq FROM business").fetch_all(pool).await?);
        rows.into_iter()
            .map(|(id, key, seq)| {
                Ok(Committed {
                    id: id.parse()?,
                    key,
                    seq,
                })
            })
            .collect()
    }

    /// One number.
    pub async fn count(&self, sql: &'static str) -> Result<i64> {
        Ok(on_pool!(self, pool => sqlx::query_scalar(sql).fetch_one(pool).await?))
    }

    /// One statement.
    pub async fn execute(&self, sql: &'static str) -> Result<u64> {
        Ok(on_pool!(self, pool => sqlx::query(sql).execute(pool).await?.rows_affected()))
    }

    /// Messages that wait in the outbox.
    pub async fn pending(&self) -> Result<i64> {
        self.count("SELECT count(*) FROM outbox").await
    }

    /// The ids of messages that a query finds.
    pub async fn ids(&self, sql: &'static str) -> Result<Vec<MessageId>> {
        let ids: Vec<uuid::Uuid> = on_pool!(self, pool => sqlx::query_scalar(sql).fetch_all(pool).await?);
        Ok(ids.into_iter().map(MessageId).collect())
    }

    /// Gives one dead letter back.
    pub async fn redrive(&self, id: MessageId) -> Result<()> {
        on_pool!(self, pool => outbox_sqlx::dead::redrive(pool, id, "the tests").await?);
        Ok(())
    }

    /// Gives a parked key back.
    pub async fn redrive_key(&self, key: &str) -> Result<u64> {
        Ok(on_pool!(self, pool => outbox_sqlx::dead::redrive_key(pool, TOPIC, key, "the tests").await?))
    }

    /// Lets a blocked message go.
    pub async fn unblock(&self, id: MessageId) -> Result<()> {
        on_pool!(self, pool => outbox_sqlx::dead::unblock(pool, id, "the tests").await?);
        Ok(())
    }

    /// What a relay reads in this database.
    pub fn store(&self) -> Box<dyn RelayStore> {
        match self {
            Self::Postgres(pool) => Box::new(outbox_sqlx::PostgresRelayStore::new(pool)),
            Self::MySql(pool) => Box::new(outbox_sqlx::MySqlRelayStore::new(pool)),
            Self::Sqlite(pool) => Box::new(outbox_sqlx::SqliteRelayStore::new(pool)),
        }
    }

    /// A relay on this database.
    pub fn relay(&self, publisher: impl Publisher, config: RelayConfig) -> Result<Relay> {
        Ok(match self {
            Self::Postgres(pool) => {
                Relay::new(outbox_sqlx::PostgresRelayStore::new(pool), publisher, config)?
            }
            Self::MySql(pool) => Relay::new(outbox_sqlx::MySqlRelayStore::new(pool), publisher, config)?,
            Self::Sqlite(pool) => Relay::new(outbox_sqlx::SqliteRelayStore::new(pool), publisher, config)?,
        })
    }
}
