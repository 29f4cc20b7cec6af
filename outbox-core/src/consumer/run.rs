use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::StreamExt;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::config::Config;
use super::handling::Handling;
use super::intake::intake;
use super::process::Context;
use super::stopped::{StopReason, Stopped};
use super::work::Work;
use crate::subscriber::Subscriber;

/// Receives and handles until told to stop, then drains.
pub(super) async fn run(
    mut subscriber: Box<dyn Subscriber>,
    handling: Handling,
    config: Arc<Config>,
    stop: CancellationToken,
) -> Stopped {
    let group: Arc<str> = subscriber.group().unwrap_or("").into();
    let (room, most) = (AtomicUsize::new(0), config.receive());
    let mut work = Work::new(Context {
        handling,
        config,
        group: Arc::clone(&group),
    });
    {
        let mut intake = pin!(intake(&mut *subscriber, &room, &group));
        work.stopped.reason = loop {
            work.start_what_may();
            room.store(work.room().min(most), Ordering::Relaxed);
            let start_at = work.start_at();
            tokio::select! {
                biased;
                () = stop.cancelled() => break StopReason::Cancelled,
                received = intake.next(), if work.wants_more() => match received {
                    Some(deliveries) => work.take_in(deliveries),
                    None => break StopReason::Closed,
                },
                Some(ended) = work.ended() => work.end(ended),
                () = until(start_at) => {}
            }
        };
        // Leaving this scope drops a receive that has begun: what it would have returned comes again.
    }
    work.drain().await;
    let stopped = work.stopped;
    tracing::info!(group = &*group, %stopped, "the consumer stopped");
    // The member leaves its group only now, so that the outcomes of the drain were still its own to tell.
    if let Err(error) = subscriber.close().await {
        tracing::warn!(group = &*group, %error, "could not leave the group; its lease has to run out");
    }
    stopped
}

/// Waits until then; for ever when there is no such time.
async fn until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
