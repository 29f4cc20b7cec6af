//! `/healthz`: the process is alive. `/readyz`: it takes requests; 503 before it does and while it drains.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;

use super::Problem;

/// Whether the service wants to be sent requests. Clones share the answer.
#[derive(Debug, Clone, Default)]
pub struct Readiness {
    ready: Arc<AtomicBool>,
}

impl Readiness {
    /// Not ready yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// From now on the service wants requests, or doesn't.
    pub fn set(&self, ready: bool) {
        self.ready.store(ready, Ordering::Relaxed);
    }
}

pub(super) fn routes(readiness: Readiness) -> Router {
    Router::new()
        .route("/healthz", get("ok\n"))
        .route("/readyz", get(ready))
        .with_state(readiness)
}

async fn ready(State(readiness): State<Readiness>) -> Result<&'static str, Problem> {
    if readiness.ready.load(Ordering::Relaxed) {
        Ok("ready\n")
    } else {
        let detail = "The service is starting or stopping.";
        Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail))
    }
}
