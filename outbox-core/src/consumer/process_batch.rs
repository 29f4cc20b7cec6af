use std::sync::Arc;

use foldhash::HashSet;
use futures_util::future::join_all;
use tracing::Instrument;

use super::failure::Failure;
use super::lanes::{LaneKey, lane_key};
use super::process::Context;
use super::progress::{Processed, Progress};
use crate::subscriber::Delivery;

/// A delivery, and its place in its batch.
type Placed = (usize, Delivery);

/// Handles a batch: all by one call, and where that fails one by one. What became of each is told to `progress`.
pub(super) async fn process_batch(context: Context, mut batch: Vec<Delivery>, progress: Progress) {
    if batch.len() == 1 {
        if let Some(delivery) = batch.pop() {
            progress.tell(0, context.process(delivery).await);
        }
        return;
    }
    let (places, batch) = bury_spent(&context, batch, &progress).await;
    if batch.is_empty() {
        return;
    }
    let span = tracing::info_span!(
        "process",
        otel.name = "process batch",
        otel.kind = "consumer",
        messaging.consumer.group.name = &*context.group,
        messaging.batch.message_count = batch.len(),
    );
    async {
        let failure = context.call(&batch).await.err();
        let placed: Vec<Placed> = places.into_iter().zip(batch).collect();
        match failure {
            None => settle_all(&context, placed, None, &progress).await,
            Some(failure) if placed.len() == 1 => {
                settle_all(&context, placed, Some(failure), &progress).await
            }
            Some(failure) => one_by_one(&context, placed, &failure, &progress).await,
        }
    }
    .instrument(span)
    .await;
}

/// Settles all at the same time, so that no answer waits for another. Only one can have failed: a batch of one.
async fn settle_all(
    context: &Context,
    batch: Vec<Placed>,
    mut failure: Option<Failure>,
    progress: &Progress,
) {
    let settling = batch.into_iter().map(|(place, delivery)| {
        let settling = context.settle(delivery, failure.take());
        async move { progress.tell(place, settling.await) }
    });
    join_all(settling).await;
}

/// Those that were spent before they came go to the dead letters, and the others are the batch.
async fn bury_spent(
    context: &Context,
    batch: Vec<Delivery>,
    progress: &Progress,
) -> (Vec<usize>, Vec<Delivery>) {
    let mut held: HashSet<LaneKey> = HashSet::default();
    let mut left = (Vec::new(), Vec::new());
    for (place, delivery) in batch.into_iter().enumerate() {
        let key = lane_key(&delivery);
        if key.as_ref().is_some_and(|key| held.contains(key)) {
            progress.tell(place, Processed::GivenBack);
        } else if let Some(spent) = context.spent(&delivery) {
            let processed = context.settle(delivery, Some(spent)).await;
            progress.tell(place, processed);
            held.extend(key.filter(|_| !processed.is_done()));
        } else {
            left.0.push(place);
            left.1.push(delivery);
        }
    }
    left
}

/// Hands each to the handler alone, in order, so that only those fail that fail alone. What is behind one of its key that
/// comes again is given back, and so is what might be another member's before its handler is through.
async fn one_by_one(context: &Context, batch: Vec<Placed>, failure: &Failure, progress: &Progress) {
    let (error, reason) = (failure.text(), failure.label());
    tracing::warn!(
        error,
        reason,
        messages = batch.len(),
        "a batch failed; its messages are handled one by one"
    );
    metrics::counter!(
        "outbox_consumer_batch_fallbacks_total", "group" => Arc::clone(&context.group), "reason" => reason
    )
    .increment(1);
    let mut held: HashSet<LaneKey> = HashSet::default();
    for (place, delivery) in batch {
        let key = lane_key(&delivery);
        let behind = key.as_ref().is_some_and(|key| held.contains(key));
        let processed = if behind || !context.config.leaves_time(&delivery) {
            drop(delivery);
            Processed::GivenBack
        } else {
            context.process(delivery).await
        };
        progress.tell(place, processed);
        held.extend(key.filter(|_| !processed.is_done()));
    }
}
