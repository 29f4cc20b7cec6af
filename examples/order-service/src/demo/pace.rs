//! How fast buyers come: not faster than what they set off is handled.

use std::convert::Infallible;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use crate::audit::Progress;
use crate::database::Database;
use crate::store_error::StoreError;

/// Buyers hold back while so many messages wait to be handled, or so many to be confirmed. Each message has a time by which it
/// has to be confirmed, or it is sent again: who lets the backlog grow beyond what is handled in that time has everything
/// handled again and again, and the backlog grows by that.
const BACKLOG: i64 = 1_000;
/// How often is looked.
const LOOK: Duration = Duration::from_millis(100);
/// And so many times longer than a look takes.
const LOOK_SHARE: u32 = 10;

/// Says through `open` whether buyers may come, for ever.
///
/// # Errors
/// The database can't be reached.
pub(super) async fn keep(database: &Database, open: &watch::Sender<bool>) -> Result<Infallible, StoreError> {
    loop {
        let before = Instant::now();
        let progress = Progress::of(database).await?;
        let unhandled = progress.to_handle - progress.handled;
        open.send_replace(unhandled.max(progress.waiting) < BACKLOG);
        sleep(LOOK.max(before.elapsed() * LOOK_SHARE)).await;
    }
}
