use std::sync::Arc;
use std::time::Duration;

use tracing::Instrument;

use super::config::Config;
use super::failure::Failure;
use super::handler::Retry;
use super::handling::Handling;
use super::progress::Processed;
use crate::headers::Headers;
use crate::subscriber::{Delivery, ReceiveError};

/// How long a queue may take to accept an outcome. A message whose outcome was not accepted comes again.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(30);

/// What every delivery of a consumer is processed with.
#[derive(Clone)]
pub(super) struct Context {
    pub(super) handling: Handling,
    pub(super) config: Arc<Config>,
    pub(super) group: Arc<str>,
}

impl Context {
    /// Hands one delivery to the handler, and the outcome to its queue.
    pub(super) async fn process(&self, delivery: Delivery) -> Processed {
        let span = self.span(&delivery);
        async {
            let failure = match self.spent(&delivery) {
                Some(spent) => Some(spent),
                None => self.call(std::slice::from_ref(&delivery)).await.err(),
            };
            self.settle(delivery, failure).await
        }
        .instrument(span)
        .await
    }

    fn span(&self, delivery: &Delivery) -> tracing::Span {
        let topic = delivery.message().topic();
        tracing::info_span!(
            "process",
            otel.name = format!("process {topic}"),
            otel.kind = "consumer",
            messaging.destination.name = topic,
            messaging.consumer.group.name = &*self.group,
            messaging.message.id = %delivery.message().id(),
            attempt = delivery.attempt(),
            // The trace that created the message: linked to by whoever knows a tracing system.
            traceparent = delivery.message().headers().get(Headers::TRACEPARENT),
        )
    }

    /// Whether a delivery comes after the last attempt that its policy allows. A queue that counts attempts before they
    /// are made hands such a one out when the process that made the last one died of it; it must not take this one along
    /// too.
    pub(super) fn spent(&self, delivery: &Delivery) -> Option<Failure> {
        let allowed = self.config.retry(delivery.message().topic()).max_attempts();
        let made = delivery.attempt().saturating_sub(1);
        (made >= allowed).then_some(Failure::Spent { made, allowed })
    }

    pub(super) async fn call(&self, batch: &[Delivery]) -> Result<(), Failure> {
        self.handling
            .call(batch, self.config.handler_timeout, &self.group)
            .await
    }

    /// Tells the queue how one ended, and counts it.
    pub(super) async fn settle(&self, delivery: Delivery, failure: Option<Failure>) -> Processed {
        let topic = Arc::clone(delivery.message().shared_topic());
        let (outcome, settled) = self.tell(delivery, failure, &topic).await;
        let outcome = match settled {
            Ok(()) => outcome,
            Err(error) => {
                tracing::warn!(%error, ?outcome, "the queue did not take the outcome; the message comes again");
                Processed::Unsettled
            }
        };
        let name = match outcome {
            Processed::Handled => "outbox_consumer_handled_total",
            Processed::Dead => "outbox_consumer_dead_total",
            Processed::Failed => "outbox_consumer_failed_total",
            Processed::Unsettled | Processed::GivenBack => "outbox_consumer_unsettled_total",
        };
        metrics::counter!(name, "topic" => topic, "group" => Arc::clone(&self.group)).increment(1);
        outcome
    }

    /// Ack, retry, or dead. The answer is what was told, and whether it was taken.
    async fn tell(
        &self,
        delivery: Delivery,
        failure: Option<Failure>,
        topic: &Arc<str>,
    ) -> (Processed, Result<(), ReceiveError>) {
        let Some(failure) = failure else {
            return (Processed::Handled, in_time(delivery.ack()).await);
        };
        let (error, reason) = (failure.text(), failure.label());
        metrics::counter!(
            "outbox_consumer_failures_total",
            "topic" => Arc::clone(topic), "group" => Arc::clone(&self.group), "reason" => reason
        )
        .increment(1);
        if let Retry::NotNow(wait) = failure.retry() {
            tracing::debug!(error, reason, ?wait, "not handled now; it is given back");
            tokio::time::sleep(wait).await;
            drop(delivery);
            return (Processed::GivenBack, Ok(()));
        }
        let by_policy = self
            .config
            .retry(topic)
            .after_failure(delivery.attempt(), &mut fastrand::Rng::new());
        let wait = match (failure.retry(), by_policy) {
            (Retry::Never | Retry::NotNow(_), _) | (_, None) => None,
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
