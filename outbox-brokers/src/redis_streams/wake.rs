//! Hears that a queue has something. What is not heard is found a little later.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::sync::Notify;

use super::link::Link;

/// Waits while nothing can be heard, doubled from the first to the last.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// Whom to wake, by channel and queue.
pub(super) type Sleepers = HashMap<(String, u32), Arc<Notify>>;

/// Listens until it is dropped.
pub(super) async fn listen(link: Link, sleepers: Arc<Sleepers>) {
    let mut wait = BACKOFF.0;
    loop {
        match hear(&link, &sleepers, &mut wait).await {
            Ok(()) => tracing::debug!("what Redis says of new messages is not heard any more"),
            Err(error) => tracing::debug!(%error, "what Redis says of new messages can't be heard"),
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(BACKOFF.1);
    }
}

async fn hear(link: &Link, sleepers: &Sleepers, wait: &mut Duration) -> redis::RedisResult<()> {
    let mut listening = link.client().get_async_pubsub().await?;
    let channels: std::collections::BTreeSet<&str> = sleepers.keys().map(|(channel, _)| &**channel).collect();
    for channel in channels {
        listening.subscribe(channel).await?;
    }
    *wait = BACKOFF.0;
    // What was said meanwhile was not heard.
    for sleeper in sleepers.values() {
        sleeper.notify_one();
    }
    let mut said = listening.on_message();
    while let Some(message) = said.next().await {
        let channel = message.get_channel_name().to_owned();
        let queue = message.get_payload::<String>()?;
        if let Ok(queue) = queue.parse()
            && let Some(sleeper) = sleepers.get(&(channel, queue))
        {
            sleeper.notify_one();
        }
    }
    Ok(())
}
