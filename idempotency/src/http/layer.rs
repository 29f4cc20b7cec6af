use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{Request, StatusCode, request::Parts};
use sqlx::Pool;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::task::TaskTracker;
use tower::{Layer, Service};

use super::body::{Collected, collect, rejoin};
use super::hold::{Held, Hold, HoldStatements};
use super::in_flight::{Entered, InFlight};
use super::problem::Refusal;
use super::request::{self, Identity};
use super::settings::{HttpSettings, HttpSettingsError};
use super::stored::{StoredResponse, is_final};
use super::transactional::replay;
use crate::database::LedgerDatabase;
use crate::ledger::Stored;

/// How soon a request that waits looks again for what another process does.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// How often the end of a request is written down when the database does not answer; after that its outcome is unknown to
/// others.
const FINISH_TRIES: u32 = 5;
/// How long between two of them.
const FINISH_AGAIN: Duration = Duration::from_millis(200);

type Caller = Arc<dyn Fn(&Parts) -> Result<String, StatusCode> + Send + Sync>;

/// A tower layer for handlers that know nothing of it. It can't commit together with what they do, so after a crash between
/// a handler's commit and its answer the outcome is unknown, and said to be: see the [module](super).
pub struct IdempotencyLayer<DB: LedgerDatabase> {
    shared: Arc<Shared<DB>>,
}

struct Shared<DB: LedgerDatabase> {
    pool: Pool<DB>,
    settings: HttpSettings,
    caller: Caller,
    in_flight: InFlight,
    tasks: TaskTracker,
}

impl<DB: LedgerDatabase> IdempotencyLayer<DB> {
    /// In this database, whose tables are made by [`migrate`](crate::migrate). `caller` says whose request it is: whoever is
    /// allowed to see the answer, an account's id that an earlier layer has put into the request's extensions, never
    /// something that the request itself may choose. Its Err is answered with that status, and nothing is done.
    ///
    /// # Errors
    /// The first setting that can't be.
    pub fn new(
        pool: Pool<DB>,
        settings: HttpSettings,
        caller: impl Fn(&Parts) -> Result<String, StatusCode> + Send + Sync + 'static,
    ) -> Result<Self, HttpSettingsError> {
        settings.check()?;
        Ok(Self {
            shared: Arc::new(Shared {
                pool,
                settings,
                caller: Arc::new(caller),
                in_flight: InFlight::default(),
                tasks: TaskTracker::new(),
            }),
        })
    }

    /// Waits until nothing is being carried out any more. For the end of a program, after its server stopped taking requests.
    pub async fn drain(&self) {
        self.shared.tasks.close();
        self.shared.tasks.wait().await;
        self.shared.tasks.reopen();
    }
}

impl<S, DB: LedgerDatabase> Layer<S> for IdempotencyLayer<DB> {
    type Service = IdempotencyService<S, DB>;

    fn layer(&self, inner: S) -> Self::Service {
        IdempotencyService {
            inner,
            shared: Arc::clone(&self.shared),
        }
    }
}

/// What [`IdempotencyLayer`] makes of a service.
pub struct IdempotencyService<S, DB: LedgerDatabase> {
    inner: S,
    shared: Arc<Shared<DB>>,
}

impl<S, DB> Service<Request<Body>> for IdempotencyService<S, DB>
where
    S: Service<Request<Body>, Response = Response> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Send + 'static,
    DB: LedgerDatabase + HoldStatements,
{
    type Response = Response;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Response, S::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        // The one that was asked whether it is ready is the one to be called.
        let clone = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, clone);
        if !self.shared.settings.methods.contains(request.method()) {
            return Box::pin(inner.call(request));
        }
        let shared = Arc::clone(&self.shared);
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let caller = match (shared.caller)(&parts) {
                Ok(caller) => caller,
                Err(status) => return Ok(status.into_response()),
            };
            let request = Request::from_parts(parts, body);
            let (request, identity) = match request::read(&shared.settings, &caller, request).await {
                Ok(read) => read,
                Err(refusal) => return Ok(refusal.into_response()),
            };
            let Some(identity) = identity else {
                return inner.call(request.map(Body::from)).await;
            };
            let carrying_out = Arc::clone(&shared);
            let carried_out = shared
                .tasks
                .spawn(async move { carrying_out.once(identity, request, inner).await });
            match carried_out.await {
                Ok(answered) => answered,
                // The handler panicked, and what it had done by then is not known.
                Err(_) => Ok(Refusal::Broken.into_response()),
            }
        })
    }
}

/// What stands in the way of carrying a request out.
enum Found {
    /// Nothing: this process holds it.
    Mine,
    Answer(Response),
    Busy,
}

impl<DB: LedgerDatabase + HoldStatements> Shared<DB> {
    async fn once<S>(
        &self,
        identity: Identity,
        request: Request<Bytes>,
        inner: S,
    ) -> Result<Response, S::Error>
    where
        S: Service<Request<Body>, Response = Response>,
    {
        let until = Instant::now() + self.settings.wait;
        let hold = self.hold(&identity);
        loop {
            let _guard = match self.in_flight.enter(&identity.scope, &identity.key) {
                Entered::First(guard) => guard,
                Entered::Other(mut end) => match tokio::time::timeout_at(until, end.changed()).await {
                    Ok(_) => continue,
                    Err(_) => return Ok(Refusal::InFlight.into_response()),
                },
            };
            match self.find(hold).await {
                Ok(Found::Mine) => return self.carry_out(hold, request, inner).await,
                Ok(Found::Answer(response)) => return Ok(response),
                Ok(Found::Busy) if Instant::now() < until => tokio::time::sleep(LOOK_AGAIN).await,
                Ok(Found::Busy) => return Ok(Refusal::InFlight.into_response()),
                Err(error) => {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "a request was not carried out"
                    );
                    return Ok(Refusal::Unavailable.into_response());
                }
            }
        }
    }

    fn hold<'a>(&self, identity: &'a Identity) -> Hold<'a> {
        Hold {
            scope: &identity.scope,
            key: &identity.key,
            fingerprint: identity.fingerprint,
            lease: micros(self.settings.lease),
            keep: micros(self.settings.keep),
            epoch: fastrand::i64(1..),
        }
    }

    async fn find(&self, hold: Hold<'_>) -> sqlx::Result<Found> {
        if DB::hold(&self.pool, hold).await? {
            return Ok(Found::Mine);
        }
        let Some(held) = DB::read_held(&self.pool, hold).await? else {
            // It was there a moment ago: released, or removed by retention.
            return Ok(Found::Busy);
        };
        if held.expired {
            return self.take_over(hold, &held).await;
        }
        if held.fingerprint.as_deref() != Some(&hold.fingerprint.as_bytes()[..]) {
            return Ok(Found::Answer(Refusal::KeyReused.into_response()));
        }
        if !held.in_flight {
            return Ok(Found::Answer(replay(Stored::new(held.answer))));
        }
        if held.alive {
            return Ok(Found::Busy);
        }
        if self.settings.take_over {
            return self.take_over(hold, &held).await;
        }
        Ok(Found::Answer(Refusal::OutcomeUnknown.into_response()))
    }

    async fn take_over(&self, hold: Hold<'_>, held: &Held) -> sqlx::Result<Found> {
        let mine = DB::take_over_held(&self.pool, hold, held.epoch).await?;
        Ok(if mine { Found::Mine } else { Found::Busy })
    }

    /// Calls the handler, gives signs of life meanwhile, and keeps what it answers.
    async fn carry_out<S>(
        &self,
        hold: Hold<'_>,
        request: Request<Bytes>,
        mut inner: S,
    ) -> Result<Response, S::Error>
    where
        S: Service<Request<Body>, Response = Response>,
    {
        let max = self.settings.answer_bytes;
        let answering = async {
            let response = inner.call(request.map(Body::from)).await?;
            let (parts, body) = response.into_parts();
            let body = collect(body, max).await;
            Ok((parts, body))
        };
        let answered = self.alive_during(hold, answering).await;
        let (parts, body) = match answered {
            Ok(answered) => answered,
            Err(error) => {
                self.release(hold).await;
                return Err(error);
            }
        };
        if !is_final(parts.status) {
            self.release(hold).await;
            return Ok(match body {
                Ok(Collected::Whole(body)) => Response::from_parts(parts, Body::from(body)),
                Ok(Collected::Longer(read, rest)) => Response::from_parts(parts, rejoin(read, rest)),
                Err(_) => Refusal::Broken.into_response(),
            });
        }
        let status = parts.status;
        let (stored, body) = match body {
            Ok(Collected::Whole(body)) => {
                let allowed = &self.settings.headers;
                let stored = StoredResponse::new(status, &parts.headers, allowed, body.clone());
                (stored, Body::from(body))
            }
            Ok(Collected::Longer(read, rest)) => (StoredResponse::not_kept(status), rejoin(read, rest)),
            // The handler did its work, and only its answer broke off.
            Err(_) => {
                self.finish(hold, &StoredResponse::not_kept(status)).await;
                return Ok(Refusal::Broken.into_response());
            }
        };
        self.finish(hold, &stored).await;
        Ok(Response::from_parts(parts, body))
    }

    async fn alive_during<T>(&self, hold: Hold<'_>, work: impl Future<Output = T>) -> T {
        /// Two signs may be lost.
        const SIGNS_PER_LEASE: u32 = 3;
        let mut signs = tokio::time::interval(self.settings.lease / SIGNS_PER_LEASE);
        signs.set_missed_tick_behavior(MissedTickBehavior::Delay);
        signs.reset();
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                biased;
                done = &mut work => return done,
                _ = signs.tick() => match DB::extend_hold(&self.pool, hold).await {
                    Ok(true) => {}
                    Ok(false) => tracing::warn!("a request was taken over while its handler ran"),
                    Err(error) => {
                        tracing::warn!(error = &error as &dyn std::error::Error, "no sign of life was given");
                    }
                },
            }
        }
    }

    async fn finish(&self, hold: Hold<'_>, stored: &StoredResponse) {
        self.end(hold, Some(&stored.to_bytes())).await;
    }

    async fn release(&self, hold: Hold<'_>) {
        self.end(hold, None).await;
    }

    /// Writes down how it ended: with this answer, or as if it had not been. The client gets its answer in any case; it is
    /// true.
    async fn end(&self, hold: Hold<'_>, answer: Option<&[u8]>) {
        for left in (0..FINISH_TRIES).rev() {
            let ended = match answer {
                Some(answer) => DB::finish_hold(&self.pool, hold, answer).await,
                None => DB::release_hold(&self.pool, hold).await,
            };
            match ended {
                Ok(true) => return,
                Ok(false) => {
                    tracing::warn!("a request was taken over before its end was written down");
                    return;
                }
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(error, left, "the end of a request was not written down");
                }
            }
            if left > 0 {
                tokio::time::sleep(FINISH_AGAIN).await;
            }
        }
    }
}

fn micros(span: Duration) -> i64 {
    i64::try_from(span.as_micros()).unwrap_or(i64::MAX)
}

impl<DB: LedgerDatabase> Clone for IdempotencyLayer<DB> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
        }
    }
}

impl<S: Clone, DB: LedgerDatabase> Clone for IdempotencyService<S, DB> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            shared: Arc::clone(&self.shared),
        }
    }
}

impl<DB: LedgerDatabase> fmt::Debug for IdempotencyLayer<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdempotencyLayer")
            .field("settings", &self.shared.settings)
            .finish_non_exhaustive()
    }
}

impl<S, DB: LedgerDatabase> fmt::Debug for IdempotencyService<S, DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdempotencyService").finish_non_exhaustive()
    }
}
