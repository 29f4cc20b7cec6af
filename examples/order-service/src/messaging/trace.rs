//! Which trace the work at hand belongs to: from the HTTP request to the last consumer it is one, as W3C trace context
//! (<https://www.w3.org/TR/trace-context/>). The log has it as `trace_id`, messages carry it as `traceparent`, and the
//! journal shows it.

use outbox_core::TraceContext;

tokio::task_local! {
    static CURRENT: TraceContext;
}

/// The trace of the work at hand, if there is one.
pub fn current() -> Option<TraceContext> {
    CURRENT.try_with(TraceContext::clone).ok()
}

/// Does some work as a part of this trace.
pub async fn within<F: Future>(trace: TraceContext, work: F) -> F::Output {
    CURRENT.scope(trace, work).await
}

/// A step of its own in the trace of `parent`, or the first one of a new trace.
pub fn step(parent: Option<&TraceContext>) -> Option<TraceContext> {
    let span = format!("{:016x}", fastrand::u64(1..));
    match parent {
        Some(parent) => {
            let mut parts = parent.traceparent().splitn(4, '-');
            let (version, trace) = (parts.next()?, parts.next()?);
            let flags = parts.nth(1)?;
            TraceContext::new(
                format!("{version}-{trace}-{span}-{flags}"),
                parent.tracestate().map(str::to_owned),
            )
        }
        None => TraceContext::new(format!("00-{:032x}-{span}-01", fastrand::u128(1..)), None),
    }
}

/// The part of it that all steps have in common.
pub fn id(trace: &TraceContext) -> &str {
    trace.traceparent().split('-').nth(1).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_keeps_the_trace_and_has_a_span_of_its_own() {
        let first = step(None).unwrap();
        let second = step(Some(&first)).unwrap();
        assert_eq!(id(&first), id(&second));
        assert_ne!(first.traceparent(), second.traceparent());
    }
}
