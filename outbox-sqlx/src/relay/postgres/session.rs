use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions as _, Connection as _, Row as _};

use super::PostgresRelayStore;
use crate::relay::error::Trouble;

const SESSION: &str = include_str!("../../../sql/postgres/relay_session.sql");
const CHECK: &str = include_str!("../../../sql/postgres/relay_check.sql");
const CHECK_VERSION: &str = include_str!("../../../sql/postgres/relay_check_version.sql");

/// Begins a transaction whose loss would break a promise: it has reached the disk when its commit returns.
pub(crate) const BEGIN_DURABLE: &str = "BEGIN; SET LOCAL synchronous_commit = on";

/// What the server is told to look for a dead peer after: idle, then probes.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(15);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);
const KEEPALIVE_PROBES: &str = "3";

/// Connects, and makes the session one for a relay.
pub(super) async fn open(options: PgConnectOptions) -> Result<PgConnection, Trouble> {
    let mut connection = connect(options, "outbox-relay").await?;
    check(&mut connection).await?;
    Ok(connection)
}

/// Connects under this name, and makes the session one that plans and commits as relays and queues want it.
pub(crate) async fn connect(options: PgConnectOptions, name: &str) -> sqlx::Result<PgConnection> {
    let mut connection = options.application_name(name).connect().await?;
    settle(&mut connection).await?;
    // What was cached while the session was not settled yet was planned for another.
    connection.clear_cached_statements().await?;
    Ok(connection)
}

async fn settle(connection: &mut PgConnection) -> sqlx::Result<()> {
    let milliseconds = |time: Duration| time.as_millis().to_string();
    let seconds = |time: Duration| time.as_secs().to_string();
    let off = |name| (name, "off".to_owned());
    let settings = [
        // Every plan here is a walk along an index. The planner's statistics of an outbox are always stale
        // (it was full a minute ago, it is empty now), and with stale ones it reads and sorts the whole table.
        off("enable_seqscan"),
        off("enable_bitmapscan"),
        off("enable_sort"),
        off("enable_incremental_sort"),
        off("enable_hashjoin"),
        off("enable_mergejoin"),
        off("jit"),
        ("max_parallel_workers_per_gather", "0".to_owned()),
        // And there is one plan for any parameter, so it is made once and not at each statement.
        ("plan_cache_mode", "force_generic_plan".to_owned()),
        // A delivered row that a crash brings back is delivered twice. What may not be lost begins with
        // `BEGIN_DURABLE`.
        off("synchronous_commit"),
        ("default_transaction_isolation", "read committed".to_owned()),
        (
            "statement_timeout",
            milliseconds(PostgresRelayStore::STATEMENT_TIMEOUT),
        ),
        ("lock_timeout", milliseconds(PostgresRelayStore::LOCK_TIMEOUT)),
        (
            "idle_in_transaction_session_timeout",
            milliseconds(PostgresRelayStore::STATEMENT_TIMEOUT),
        ),
        // Without them a relay whose host vanished keeps its locks for two hours.
        ("tcp_keepalives_idle", seconds(KEEPALIVE_IDLE)),
        ("tcp_keepalives_interval", seconds(KEEPALIVE_INTERVAL)),
        ("tcp_keepalives_count", KEEPALIVE_PROBES.to_owned()),
    ];
    let (names, values): (Vec<&str>, Vec<String>) = settings.into_iter().unzip();
    sqlx::query(SESSION)
        .bind(names)
        .bind(values)
        .execute(connection)
        .await?;
    Ok(())
}

async fn check(connection: &mut PgConnection) -> Result<(), Trouble> {
    let server = sqlx::query(CHECK).fetch_one(&mut *connection).await?;
    if server.try_get(0)? {
        return Err(Trouble::ReadOnly);
    }
    if !server.try_get::<bool, _>(1)? {
        return Err(Trouble::not_installed("postgres"));
    }
    let schema = sqlx::query(CHECK_VERSION).fetch_one(&mut *connection).await?;
    let version: i32 = schema.try_get(0)?;
    Trouble::check_version(version.into(), "postgres")?;
    match schema.try_get(1)? {
        Some(true) => {}
        Some(false) => {
            return Err(Trouble::Unusable(
                "its id sequence can't be read; grant the relay's role SELECT on the sequence of outbox.id"
                    .into(),
            ));
        }
        None => {
            return Err(Trouble::Unusable(
                "outbox.id has no sequence; compare the table with `outbox-relay schema postgres`".into(),
            ));
        }
    }
    Ok(())
}
