//! Each request is a step of a trace: of the one that its client names, or of a new one.

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use outbox_core::TraceContext;
use tracing::Instrument;

use crate::messaging::trace;

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// Handles a request as a step of its trace, which the answer names.
pub(super) async fn trace(request: Request, next: Next) -> Response {
    let Some(step) = trace::step(named(request.headers()).as_ref()) else {
        return next.run(request).await;
    };
    let span = tracing::info_span!(
        "request",
        method = %request.method(),
        path = request.uri().path(),
        trace_id = trace::id(&step)
    );
    let named = HeaderValue::from_str(step.traceparent());
    let handled = async {
        let response = next.run(request).await;
        tracing::debug!(status = response.status().as_u16(), "answered");
        response
    };
    let mut response = trace::within(step, handled).instrument(span).await;
    if let Ok(named) = named {
        response.headers_mut().insert(TRACEPARENT, named);
    }
    response
}

/// The trace that a client names.
fn named(headers: &HeaderMap) -> Option<TraceContext> {
    let text = |name| headers.get(name)?.to_str().ok().map(str::to_owned);
    TraceContext::new(text(TRACEPARENT)?, text(TRACESTATE))
}
