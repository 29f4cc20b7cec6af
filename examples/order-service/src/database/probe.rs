use std::time::Duration;

use anyhow::{Context, bail};
use sqlx::Connection;

/// How long a request or a handler waits for a connection at most.
pub(super) const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);

/// One attempt to connect to a server, for its error: a pool would try again until its timeout, and then know only that.
/// `place` is for people and holds no password.
pub(super) async fn probe<C: Connection>(
    options: &C::Options,
    server: &str,
    place: &str,
) -> anyhow::Result<()> {
    match tokio::time::timeout(ACQUIRE_TIMEOUT, C::connect_with(options)).await {
        Ok(connected) => {
            let connection = connected.with_context(|| {
                format!("can't connect to {server} at {place}; is it running, and is DATABASE_URL right?")
            })?;
            let closed = connection.close().await;
            closed.with_context(|| format!("connecting to {server} failed"))
        }
        Err(_) => bail!("{server} at {place} did not answer within {ACQUIRE_TIMEOUT:?}"),
    }
}
