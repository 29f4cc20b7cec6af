use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::Request;
use sqlx::Pool;
use tokio::sync::Mutex;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;
use transaction_scope::{ScopedTransaction, TransactionError, scope_with};

use super::body::{Collected, collect};
use super::in_flight::{Entered, InFlight};
use super::problem::Refusal;
use super::request::{self, Identity};
use super::settings::{HttpSettings, HttpSettingsError};
use super::stored::{StoredResponse, is_final};
use crate::database::LedgerDatabase;
use crate::error::IdempotencyError;
use crate::ledger::name::Name;
use crate::ledger::{Claim, Ledger, Stored};

/// How long a claim waits for another process's transaction before the request is told 409, or tries again where it may
/// wait longer.
const CLAIM_WAIT: Duration = Duration::from_millis(200);

/// How soon a request that waits looks again for what another process does.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// What a handler's work is: a future that may borrow the transaction.
pub type Work<'a, E> = Pin<Box<dyn Future<Output = Result<Response, E>> + Send + 'a>>;

/// Requests that are carried out once, in a transaction: the key, the business rows, the messages and the answer are
/// committed together, or nothing is. See the [module](super) for what is promised. A clone is cheap and shares everything.
pub struct HttpIdempotency<DB: LedgerDatabase> {
    shared: Arc<Shared<DB>>,
}

struct Shared<DB: LedgerDatabase> {
    pool: Pool<DB>,
    ledger: Ledger<DB>,
    settings: HttpSettings,
    in_flight: InFlight,
    /// Where the database has one writer: they take turns here, in the order they came.
    turn: Mutex<()>,
    tasks: TaskTracker,
}

/// Why a transaction ended without being committed.
enum Ended {
    /// It was done before.
    Done(Stored),
    /// Another transaction is at it.
    Busy,
    /// The handler's own answer to something that was not to be done.
    Answered(Box<Response>),
    Refused(Refusal),
}

impl From<IdempotencyError> for Ended {
    fn from(error: IdempotencyError) -> Self {
        Self::Refused(match error {
            IdempotencyError::Busy => return Self::Busy,
            IdempotencyError::Conflict => Refusal::KeyReused,
            IdempotencyError::AnswerTooLong { max, .. } => Refusal::AnswerTooLarge { max },
            IdempotencyError::Transaction(TransactionError::CommitUnknown { .. }) => {
                tracing::warn!("a commit was not answered; the client is told to ask again");
                Refusal::CommitUnknown
            }
            error if error.is_retryable() => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "a request was not carried out"
                );
                Refusal::Unavailable
            }
            error => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "a request was not carried out"
                );
                Refusal::Broken
            }
        })
    }
}

impl From<TransactionError> for Ended {
    fn from(error: TransactionError) -> Self {
        IdempotencyError::from(error).into()
    }
}

impl<DB: LedgerDatabase> HttpIdempotency<DB> {
    /// In this database, whose tables are made by [`migrate`](crate::migrate).
    ///
    /// # Errors
    /// The first setting that can't be.
    pub fn new(pool: Pool<DB>, settings: HttpSettings) -> Result<Self, HttpSettingsError> {
        settings.check()?;
        Ok(Self {
            shared: Arc::new(Shared {
                ledger: Ledger::new(settings.keep, CLAIM_WAIT),
                pool,
                settings,
                in_flight: InFlight::default(),
                turn: Mutex::new(()),
                tasks: TaskTracker::new(),
            }),
        })
    }

    /// Carries out a request of `caller` once, however often it comes. `caller` is whoever is allowed to see the answer: an
    /// account's id, never something that the request itself may choose.
    ///
    /// `work` gets the transaction and the request with its body. What it returns as Ok with a status below 400 is committed
    /// and kept with everything that it wrote. A status from 400 on, or an Err, rolls back what it wrote; the answer is kept
    /// all the same if it is one for good (4xx but 408, 409, 425 and 429), and nothing is kept of a 5xx.
    ///
    /// The work goes on when this future is dropped, as a server does when its client disconnects: the client's next try
    /// gets the answer. [`HttpIdempotency::drain`] waits for such work.
    pub async fn run<W, E>(&self, caller: &str, request: Request<Body>, work: W) -> Response
    where
        W: for<'a> FnOnce(&'a mut ScopedTransaction<DB>, Request<Bytes>) -> Work<'a, E> + Send + 'static,
        E: IntoResponse + Send + 'static,
    {
        let read = request::read(&self.shared.settings, caller, request).await;
        let (request, identity) = match read {
            Ok(read) => read,
            Err(refusal) => return refusal.into_response(),
        };
        let shared = Arc::clone(&self.shared);
        let carried_out = self.shared.tasks.spawn(async move {
            match identity {
                Some(identity) => shared.once(identity, request, work).await,
                None => shared.each_time(request, work).await,
            }
        });
        match carried_out.await {
            Ok(response) => response,
            // It panicked, and its transaction was rolled back.
            Err(_) => Refusal::Broken.into_response(),
        }
    }

    /// Waits until nothing is being carried out any more. For the end of a program, after its server stopped taking requests.
    pub async fn drain(&self) {
        self.shared.tasks.close();
        self.shared.tasks.wait().await;
        self.shared.tasks.reopen();
    }
}

impl<DB: LedgerDatabase> Shared<DB> {
    async fn once<W, E>(&self, identity: Identity, request: Request<Bytes>, work: W) -> Response
    where
        W: for<'a> FnOnce(&'a mut ScopedTransaction<DB>, Request<Bytes>) -> Work<'a, E> + Send,
        E: IntoResponse + Send,
    {
        let until = Instant::now() + self.settings.wait;
        let mut first = Some((request, work));
        loop {
            let entered = self.in_flight.enter(&identity.scope, &identity.key);
            let _guard = match entered {
                Entered::First(guard) => guard,
                Entered::Other(mut end) => {
                    // Its sender goes when it ends, and that is all that is waited for.
                    match tokio::time::timeout_at(until, end.changed()).await {
                        Ok(_) => continue,
                        Err(_) => return Refusal::InFlight.into_response(),
                    }
                }
            };
            match self.attempt(&identity, &mut first).await {
                Err(Ended::Busy) if Instant::now() < until && first.is_some() => {
                    tokio::time::sleep(LOOK_AGAIN).await;
                }
                Err(Ended::Busy) => return Refusal::InFlight.into_response(),
                Ok(response) => return response,
                Err(Ended::Done(stored)) => return replay(stored),
                Err(Ended::Refused(refusal)) => return refusal.into_response(),
                Err(Ended::Answered(response)) => return self.keep_answer(&identity, *response).await,
            }
        }
    }

    /// One transaction. The work is taken only once it is known that it is the first.
    async fn attempt<W, E>(
        &self,
        identity: &Identity,
        first: &mut Option<(Request<Bytes>, W)>,
    ) -> Result<Response, Ended>
    where
        W: for<'a> FnOnce(&'a mut ScopedTransaction<DB>, Request<Bytes>) -> Work<'a, E> + Send,
        E: IntoResponse + Send,
    {
        let _turn = self.take_turn().await;
        scope_with(self.ledger.begin(&self.pool), Ended::from, async |tx| {
            self.claim(tx, identity).await?;
            let Some((request, work)) = first.take() else {
                return Err(Ended::Busy);
            };
            let response = answer(work(tx, request).await)?;
            let (kept, response) = self.copy(response).await?;
            self.ledger
                .keep_answer(tx.as_mut(), &identity.scope, &identity.key, &kept)
                .await?;
            Ok(response)
        })
        .await
    }

    /// Keeps an answer to something that was not done, in a transaction of its own. Whoever was faster meanwhile decides.
    async fn keep_answer(&self, identity: &Identity, response: Response) -> Response {
        if !is_final(response.status()) {
            return response;
        }
        let (kept, response) = match self.copy(response).await {
            Ok(copied) => copied,
            Err(Ended::Refused(refusal)) => return refusal.into_response(),
            Err(_) => return Refusal::Broken.into_response(),
        };
        let _turn = self.take_turn().await;
        let done = scope_with(self.ledger.begin(&self.pool), Ended::from, async |tx| {
            self.claim(tx, identity).await?;
            let (scope, key) = (&identity.scope, &identity.key);
            self.ledger.keep_answer(tx.as_mut(), scope, key, &kept).await?;
            Ok(())
        })
        .await;
        match done {
            Err(Ended::Done(stored)) => replay(stored),
            // What is not kept is found again by doing it again: nothing was done.
            _ => response,
        }
    }

    async fn claim(&self, tx: &mut ScopedTransaction<DB>, identity: &Identity) -> Result<(), Ended> {
        let name = Name::new(&identity.scope, &identity.key)?;
        let print = Some(identity.fingerprint);
        match self.ledger.claim_open(&mut **tx, name, print).await? {
            Claim::First => Ok(()),
            Claim::Duplicate(stored) => Err(Ended::Done(stored)),
            Claim::Conflict => Err(Ended::Refused(Refusal::KeyReused)),
            Claim::Busy => Err(Ended::Busy),
        }
    }

    /// The response's copy for the ledger, and the response.
    async fn copy(&self, response: Response) -> Result<(Vec<u8>, Response), Ended> {
        let (parts, body) = response.into_parts();
        let max = self.settings.answer_bytes;
        let body = match collect(body, max).await {
            Ok(Collected::Whole(body)) => body,
            Ok(Collected::Longer(..)) => return Err(Ended::Refused(Refusal::AnswerTooLarge { max })),
            Err(_) => return Err(Ended::Refused(Refusal::Broken)),
        };
        let allowed = &self.settings.headers;
        let stored = StoredResponse::new(parts.status, &parts.headers, allowed, body.clone());
        Ok((stored.to_bytes(), Response::from_parts(parts, Body::from(body))))
    }

    /// Without a key: as it is, each time it comes.
    async fn each_time<W, E>(&self, request: Request<Bytes>, work: W) -> Response
    where
        W: for<'a> FnOnce(&'a mut ScopedTransaction<DB>, Request<Bytes>) -> Work<'a, E> + Send,
        E: IntoResponse + Send,
    {
        let _turn = self.take_turn().await;
        let done = scope_with(DB::begin(&self.pool), Ended::from, async |tx| {
            answer(work(tx, request).await)
        })
        .await;
        match done {
            Ok(response) => response,
            Err(Ended::Answered(response)) => *response,
            Err(Ended::Refused(refusal)) => refusal.into_response(),
            Err(Ended::Busy | Ended::Done(_)) => Refusal::Unavailable.into_response(),
        }
    }

    async fn take_turn(&self) -> Option<tokio::sync::MutexGuard<'_, ()>> {
        if DB::ONE_WRITER {
            Some(self.turn.lock().await)
        } else {
            None
        }
    }
}

/// What is committed: Ok with a status below 400.
fn answer<E: IntoResponse>(answered: Result<Response, E>) -> Result<Response, Ended> {
    match answered {
        Ok(response) if response.status().as_u16() < 400 => Ok(response),
        Ok(response) => Err(Ended::Answered(Box::new(response))),
        Err(error) => Err(Ended::Answered(Box::new(error.into_response()))),
    }
}

pub(super) fn replay(stored: Stored) -> Response {
    match stored
        .answer()
        .map(|bytes| StoredResponse::from_bytes(bytes.to_vec()))
    {
        Some(Some(response)) if response.is_kept() => response.replay(),
        _ => Refusal::AnswerNotKept.into_response(),
    }
}

impl<DB: LedgerDatabase> Clone for HttpIdempotency<DB> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
        }
    }
}

impl<DB: LedgerDatabase> fmt::Debug for HttpIdempotency<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpIdempotency")
            .field("settings", &self.shared.settings)
            .finish_non_exhaustive()
    }
}
