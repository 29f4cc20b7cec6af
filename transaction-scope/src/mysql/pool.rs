use std::time::Duration;

use futures_util::future::BoxFuture;
use sqlx::mysql::{MySqlConnection, MySqlPoolOptions};
use sqlx::{AssertSqlSafe, Row as _};

/// A connection that does not answer for so long is out of step with its server.
const ANSWERS_WITHIN: Duration = Duration::from_secs(5);

/// Options for a pool whose connections survive that futures are dropped, as every web server drops a handler whose
/// client disconnects. Set everything else on what is returned.
///
/// sqlx 0.9.0: a MySQL connection whose statement was dropped half-way (while it was being prepared, for example) does
/// not know any more which answer belongs to which question. Back in the pool it takes an old answer for a new one, or
/// waits for one that never comes, and its place in the pool is lost with it. So each connection that comes back is
/// asked something that only it can answer, after a ROLLBACK of whatever may be left open; one that answers anything else, or
/// nothing within five seconds, is closed. That is one round trip per use, after it, in the background.
///
/// ```no_run
/// # async fn f() -> sqlx::Result<()> {
/// let pool = transaction_scope::mysql::pool_options()
///     .max_connections(16)
///     .connect("mysql://shop@localhost/shop")
///     .await?;
/// # Ok(())
/// # }
/// ```
pub fn pool_options() -> MySqlPoolOptions {
    MySqlPoolOptions::new().after_release(|connection, _| after_release(connection))
}

fn after_release(connection: &mut MySqlConnection) -> BoxFuture<'_, sqlx::Result<bool>> {
    Box::pin(async move {
        let asked = fastrand::i64(0..);
        let answered = tokio::time::timeout(ANSWERS_WITHIN, ask(connection, asked)).await;
        match answered {
            Ok(Ok(answer)) if answer == Some(asked) => Ok(true),
            Ok(Err(error)) => Err(error),
            Ok(Ok(_)) => Err(sqlx::Error::Protocol(
                "a connection was given back in the middle of a statement; it is closed".to_owned(),
            )),
            Err(_) => Err(sqlx::Error::Protocol(
                "a connection that was given back does not answer; it is closed".to_owned(),
            )),
        }
    })
}

/// As text, because a prepared statement would itself have to be prepared on the connection that is in doubt.
async fn ask(connection: &mut MySqlConnection, asked: i64) -> sqlx::Result<Option<i64>> {
    let question = AssertSqlSafe(format!("ROLLBACK; SELECT {asked}"));
    let rows = sqlx::raw_sql(question).fetch_all(connection).await?;
    rows.last().map(|row| row.try_get(0)).transpose()
}
