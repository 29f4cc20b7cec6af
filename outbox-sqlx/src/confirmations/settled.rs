use super::record::close_confirmed;
use crate::queue::QueueDatabase;

/// For the relay, after it has moved these rows and committed: those whose confirmations had come before wait no longer.
/// Whoever records one later finds its message there.
pub(crate) async fn settled<DB: QueueDatabase>(
    connection: &mut DB::Connection,
    ids: &[i64],
) -> sqlx::Result<()> {
    close_confirmed::<DB>(connection, ids).await.map(drop)
}
