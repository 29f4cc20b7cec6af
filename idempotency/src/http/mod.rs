//! Requests that are carried out once, however often they come: the `Idempotency-Key` header
//! (draft-ietf-httpapi-idempotency-key-header-07), for axum.
//!
//! Two forms, with different promises:
//!
//! | | [`HttpIdempotency`], the transactional form | [`IdempotencyLayer`], the layer |
//! |---|---|---|
//! | the handler | gets the transaction, and returns the answer | knows nothing of it |
//! | the key, the business rows and the answer | are committed together | are three things |
//! | a crash at any moment, then a retry | done once; the answer is given again | 409 "outcome unknown" until the key expires; done again only where [`HttpSettings::take_over`] says that the handler is idempotent itself |
//! | the client is gone in the middle | the work goes on, and a retry gets its answer | the same |
//!
//! Both: the first answer is given again to every retry, marked `Idempotency-Replayed: true`, with those of its headers that
//! are allowed; 422 where the key came with another method, path or body; 409 while the first is being carried out, or its
//! answer where it comes within [`HttpSettings::wait`]; 400 without a key where one is required; refusals are problem details
//! (RFC 9457) with a `code`. Keys of two callers are never the same key, whatever is in them. What is kept is 2xx to 4xx but
//! 408, 409, 425 and 429, which only say "not now"; nothing is kept of a 5xx, so that a retry does it. (In the transactional
//! form a 5xx is rolled back. With the layer it is the handler's promise that nothing was done.)
//!
//! ```
//! # #[cfg(feature = "sqlite")]
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! use axum::body::Body;
//! use axum::response::{IntoResponse, Response};
//! use http::{Request, StatusCode};
//! use idempotency::http::{HttpIdempotency, HttpSettings};
//!
//! let pool = transaction_scope::sqlite::open("sqlite::memory:").await?;
//! idempotency::migrate(&pool).await?;
//! let once = HttpIdempotency::new(pool, HttpSettings::new())?;
//!
//! // In a handler that takes the whole `Request`, and knows its caller:
//! let place_order = async |request: Request<Body>| -> Response {
//!     once.run("customer-7", request, |tx, request| {
//!         Box::pin(async move {
//!             let order = request.into_body();
//!             sqlx::query("SELECT 1").execute(&mut **tx).await.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
//!             Ok::<_, StatusCode>((StatusCode::CREATED, order).into_response())
//!         })
//!     })
//!     .await
//! };
//!
//! let request = || Request::post("/orders").header("Idempotency-Key", "\"a-1\"").body(Body::from("3 apples"));
//! let first = place_order(request()?).await;
//! assert_eq!(first.status(), StatusCode::CREATED);
//! let again = place_order(request()?).await;
//! assert_eq!(again.headers()["idempotency-replayed"], "true");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod body;
mod fingerprint;
mod hold;
mod in_flight;
mod key;
mod layer;
mod problem;
mod request;
mod settings;
mod stored;
mod transactional;

pub use hold::HoldStatements;
pub use key::{IDEMPOTENCY_KEY, IdempotencyKey, KeyError};
pub use layer::{IdempotencyLayer, IdempotencyService};
pub use problem::Refusal;
pub use settings::{HttpSettings, HttpSettingsError};
pub use stored::REPLAYED;
pub use transactional::{HttpIdempotency, Work};
