use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use tracing::Instrument;

use super::config::Config;
use super::handler::{HandleError, Handler, Retry, panic_text};
use crate::headers::Headers;
use crate::subscriber::{Delivery, ReceiveError};

/// How long a queue may take to accept an outcome. A message whose outcome was not accepted comes again.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(30);

/// How one delivery ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Processed {
    Handled,
    Failed,
    Dead,
    Unsettled,
}

/// Why a message was not handled.
enum Failure {
    Error(HandleError),
    Panic(String),
    Timeout(Duration),
    /// It was not even tried: what came before was all the attempts there are.
    Spent {
        made: u32,
        allowed: u32,
    },
}

impl Failure {
    /// The reason as a label of metrics.
    fn label(&self) -> &'static str {
        match self {
            Self::Error(error) if error.is_permanent() => "permanent",
            Self::Error(_) => "error",
            Self::Panic(_) => "panic",
            Self::Timeout(_) => "timeout",
            Self::Spent { .. } => "spent",
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Error(error) => error.to_string(),
            Self::Panic(text) => text.clone(),
            Self::Timeout(timeout) => format!("the handler took longer than {timeout:?}"),
            Self::Spent { made, allowed } => format!(
                "attempts are spent: {made} were made and {allowed} are allowed; \
                 the last one told no outcome, as when its process dies"
            ),
        }
    }

    fn retry(&self) -> Retry {
        match self {
            Self::Error(error) => error.retry(),
            Self::Panic(_) | Self::Timeout(_) => Retry::ByPolicy,
            Self::Spent { .. } => Retry::Never,
        }
    }
}

/// Hands a delivery to its handler, and the outcome to its queue.
pub(super) async fn process(
    delivery: Delivery,
    handler: Arc<dyn Handler>,
    config: Arc<Config>,
    group: Arc<str>,
) -> Processed {
    let topic = Arc::clone(delivery.message().shared_topic());
    let span = tracing::info_span!(
        "process",
        otel.name = format!("process {topic}"),
        otel.kind = "consumer",
        messaging.destination.name = &*topic,
        messaging.consumer.group.name = &*group,
        messaging.message.id = %delivery.message().id(),
        attempt = delivery.attempt(),
        // The trace that created the message: linked to by whoever knows a tracing system.
        traceparent = delivery.message().headers().get(Headers::TRACEPARENT),
    );
    async move {
        let failure = match spent(&delivery, &config) {
            Some(failure) => Some(failure),
            None => {
                let started = Instant::now();
                let failure = handle(&delivery, &*handler, config.handler_timeout).await.err();
                metrics::histogram!("outbox_consumer_handle_seconds", "topic" => Arc::clone(&topic), "group" => Arc::clone(&group))
                    .record(started.elapsed());
                failure
            }
        };
        let (outcome, settled) = settle(delivery, failure, &config, &topic, &group).await;
        match settled {
            Ok(()) => {
                let name = match outcome {
                    Processed::Handled => "outbox_consumer_handled_total",
                    Processed::Dead => "outbox_consumer_dead_total",
                    Processed::Failed => "outbox_consumer_failed_total",
                    Processed::Unsettled => "outbox_consumer_unsettled_total",
                };
                metrics::counter!(name, "topic" => topic, "group" => group).increment(1);
                outcome
            }
            Err(error) => {
                tracing::warn!(%error, ?outcome, "the queue did not take the outcome; the message comes again");
                metrics::counter!("outbox_consumer_unsettled_total", "topic" => topic, "group" => group).increment(1);
                Processed::Unsettled
            }
        }
    }
    .instrument(span)
    .await
}

/// Whether a delivery comes after the last attempt that its policy allows. A queue that counts attempts before they are
/// made hands such a one out when the process that made the last one died of it; it must not take this one along too.
fn spent(delivery: &Delivery, config: &Config) -> Option<Failure> {
    let allowed = config.retry(delivery.message().topic()).max_attempts();
    let made = delivery.attempt().saturating_sub(1);
    (made >= allowed).then_some(Failure::Spent { made, allowed })
}

/// Runs the handler, within its time, and contains its panics.
async fn handle(delivery: &Delivery, handler: &dyn Handler, timeout: Duration) -> Result<(), Failure> {
    // Unwind safe: after a panic nothing of what the handler borrowed is looked at but the delivery, which
    // it can't change.
    let mut handling = Box::pin(AssertUnwindSafe(async { handler.handle(delivery).await }).catch_unwind());
    let handled = tokio::time::timeout(timeout, &mut handling).await;
    // A handler that is cut off may panic in a destructor; that must not take its failure's outcome along.
    let _ = std::panic::catch_unwind(AssertUnwindSafe(|| drop(handling)));
    match handled {
        Ok(Ok(Ok(()))) => Ok(()),
        Ok(Ok(Err(error))) => Err(Failure::Error(error)),
        Ok(Err(panic)) => Err(Failure::Panic(panic_text(&*panic))),
        Err(_) => Err(Failure::Timeout(timeout)),
    }
}

/// Tells the queue: ack, retry, or dead. The answer is what was told, and whether it was taken.
async fn settle(
    delivery: Delivery,
    failure: Option<Failure>,
    config: &Config,
    topic: &str,
    group: &Arc<str>,
) -> (Processed, Result<(), ReceiveError>) {
    let Some(failure) = failure else {
        return (Processed::Handled, in_time(delivery.ack()).await);
    };
    let (error, reason) = (failure.text(), failure.label());
    metrics::counter!(
        "outbox_consumer_failures_total",
        "topic" => topic.to_owned(), "group" => Arc::clone(group), "reason" => reason
    )
    .increment(1);
    let by_policy = config
        .retry(topic)
        .after_failure(delivery.attempt(), &mut fastrand::Rng::new());
    let wait = match (failure.retry(), by_policy) {
        (Retry::Never, _) | (_, None) => None,
        (Retry::ByPolicy, Some(wait)) | (Retry::After(wait), Some(_)) => Some(wait),
    };
    match wait {
        Some(wait) => {
            tracing::warn!(error, reason, ?wait, "not handled; it is tried again");
            (Processed::Failed, in_time(delivery.retry(wait, &error)).await)
        }
        None => {
            tracing::error!(error, reason, "not handled; it goes to the dead letters");
            (Processed::Dead, in_time(delivery.dead(&error)).await)
        }
    }
}

async fn in_time(settling: impl Future<Output = Result<(), ReceiveError>>) -> Result<(), ReceiveError> {
    match tokio::time::timeout(SETTLE_TIMEOUT, settling).await {
        Ok(settled) => settled,
        Err(_) => Err(ReceiveError::Unavailable {
            message: format!("no answer within {SETTLE_TIMEOUT:?}").into(),
            source: None,
        }),
    }
}
