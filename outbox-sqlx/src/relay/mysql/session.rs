use sqlx::mysql::{MySqlConnectOptions, MySqlConnection};
use sqlx::{ConnectOptions as _, Executor as _, Row as _};

use crate::relay::error::Trouble;
use transaction_scope::sql;

const SESSION: &str = sql!("mysql/relay_session.sql");
const CHECK: &str = sql!("mysql/relay_check.sql");
const CHECK_VERSION: &str = sql!("mysql/schema_version.sql");

/// Connects, and makes the session one for a relay.
pub(super) async fn open(options: MySqlConnectOptions) -> Result<MySqlConnection, Trouble> {
    let mut connection = connect(options).await?;
    check(&mut connection).await?;
    Ok(connection)
}

/// Connects, and makes the session one that reads, locks and waits as relays and queues want it.
pub(crate) async fn connect(options: MySqlConnectOptions) -> sqlx::Result<MySqlConnection> {
    let mut connection = options.connect().await?;
    connection.execute(SESSION).await?;
    Ok(connection)
}

async fn check(connection: &mut MySqlConnection) -> Result<(), Trouble> {
    let server = sqlx::query(CHECK).fetch_one(&mut *connection).await?;
    if server.try_get(0)? {
        return Err(Trouble::ReadOnly);
    }
    if !server.try_get::<bool, _>(1)? {
        return Err(Trouble::not_installed("mysql"));
    }
    let version = sqlx::query_scalar(CHECK_VERSION)
        .fetch_one(&mut *connection)
        .await?;
    Trouble::check_version(version, "mysql")
}
