//! A service with both forms of idempotent requests, in a process of its own, to be killed by what a request's headers say.
//!
//! Prints `ready` and its address.

use std::time::Duration;

use anyhow::Result;
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use clap::Parser;
use http::{HeaderMap, Request, StatusCode};
use idempotency::http::{HttpIdempotency, HttpSettings, IdempotencyLayer};
use outbox_core::MessageId;
use outbox_tests::Effects;
use sqlx::{PgPool, Postgres};

#[derive(Parser)]
struct Arguments {
    #[arg(long)]
    database: String,
    /// Of the layer.
    #[arg(long, default_value_t = 1_000)]
    lease_ms: u64,
}

#[derive(Clone)]
struct Service {
    pool: PgPool,
    once: HttpIdempotency<Postgres>,
}

/// The request wants the process to die after the commit, before the answer.
fn dies(headers: &HeaderMap) -> bool {
    headers.contains_key("x-die")
}

fn die() -> ! {
    let me = std::process::id().to_string();
    let _ = std::process::Command::new("kill").args(["-9", &me]).status();
    std::process::abort();
}

/// Says that the handler is in the middle, and waits until there is the file that the request names.
async fn hold(headers: &HeaderMap) {
    let Some(until) = headers.get("x-hold").and_then(|path| path.to_str().ok()) else {
        return;
    };
    println!("holding");
    while !std::fs::exists(until).unwrap_or(true) {
        // A folder tells nobody when it gets a file.
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn transactional(State(service): State<Service>, request: Request<Body>) -> Response {
    let dies = dies(request.headers());
    let response = service
        .once
        .run("caller", request, |tx, request| {
            Box::pin(async move {
                Postgres::take_effect(&mut *tx, "transactional", MessageId::new())
                    .await
                    .map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
                hold(request.headers()).await;
                Ok::<_, StatusCode>((StatusCode::CREATED, "placed").into_response())
            })
        })
        .await;
    if dies {
        die();
    }
    response
}

async fn layered(State(service): State<Service>, headers: HeaderMap) -> Result<Response, StatusCode> {
    let mut connection = service
        .pool
        .acquire()
        .await
        .map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
    Postgres::take_effect(&mut connection, "layered", MessageId::new())
        .await
        .map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
    drop(connection);
    hold(&headers).await;
    if dies(&headers) {
        die();
    }
    Ok((StatusCode::CREATED, "placed").into_response())
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let pool = PgPool::connect(&arguments.database).await?;
    let settings = HttpSettings::new().lease(Duration::from_millis(arguments.lease_ms));
    let layer = IdempotencyLayer::new(pool.clone(), settings.clone(), |_| Ok("caller".to_owned()))?;
    let service = Service {
        once: HttpIdempotency::new(pool.clone(), settings)?,
        pool,
    };
    let router = Router::new()
        .route("/transactional", post(transactional))
        .route("/layered", post(layered).layer(layer))
        .with_state(service);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("ready {}", listener.local_addr()?);
    axum::serve(listener, router).await?;
    Ok(())
}
