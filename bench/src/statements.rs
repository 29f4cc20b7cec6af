//! Counts what a process asks its database, by the driver's own log of statements.

use std::sync::atomic::{AtomicU64, Ordering};

use tracing::level_filters::LevelFilter;
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

/// Where the driver logs each statement when it has ended.
const TARGET: &str = "sqlx::query";

static COUNT: AtomicU64 = AtomicU64::new(0);

/// How many statements this process has sent on connections that log them. (The COMMIT of a transaction, for one, is
/// not logged.)
pub(crate) fn count() -> u64 {
    COUNT.load(Ordering::Relaxed)
}

struct Counter;

impl<S: Subscriber> Layer<S> for Counter {
    fn on_event(&self, _: &Event<'_>, _: Context<'_, S>) {
        COUNT.fetch_add(1, Ordering::Relaxed);
    }
}

/// What counts; without it nothing is logged and nothing counted.
pub(crate) fn counter<S: Subscriber + for<'a> LookupSpan<'a>>() -> impl Layer<S> {
    Counter.with_filter(Targets::new().with_target(TARGET, LevelFilter::DEBUG))
}
