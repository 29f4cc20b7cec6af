use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::Stream;
use futures_util::stream;

use crate::retry::RetryPolicy;
use crate::subscriber::{Delivery, ReceiveError, Subscriber};

/// How long to wait while the queue can't be reached.
const BACKOFF: RetryPolicy = RetryPolicy::DEFAULT.with_backoff(
    Duration::from_millis(50),
    Duration::from_millis(200),
    Duration::from_secs(5),
);

/// What the subscriber receives, one batch after the other; ends when the subscription is closed.
///
/// A stream, because one that is not polled keeps the receive it has begun, where a dropped future would
/// begin again each time the loop around it turns. `room` is how many deliveries may be asked for; whoever
/// polls sets it before, and polls only when it is not 0.
pub(super) fn intake<'a>(
    subscriber: &'a mut dyn Subscriber,
    room: &'a AtomicUsize,
    group: &'a Arc<str>,
) -> impl Stream<Item = Vec<Delivery>> + Send + 'a {
    stream::unfold(subscriber, move |subscriber| async move {
        let mut failures = 0;
        loop {
            let max = room.load(Ordering::Relaxed).max(1);
            let problem = match subscriber.receive(max).await {
                Ok(deliveries) if !deliveries.is_empty() => return Some((deliveries, subscriber)),
                Ok(_) => "it answered without a delivery".to_owned(),
                Err(ReceiveError::Closed) => return None,
                Err(error) => error.to_string(),
            };
            failures += 1;
            let wait = BACKOFF.wait(failures, &mut fastrand::Rng::new());
            tracing::warn!(
                group = &**group,
                failures,
                ?wait,
                problem,
                "can't receive; trying again"
            );
            metrics::counter!("outbox_consumer_receive_errors_total", "group" => Arc::clone(group))
                .increment(1);
            tokio::time::sleep(wait).await;
        }
    })
}
