use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use sqlx::{Database, Error, Transaction};

use crate::error::TransactionError;

type Begun<DB> = Result<Transaction<'static, DB>, Error>;

/// A `BEGIN` that is always carried through.
///
/// sqlx 0.9.0: when the future of `pool.begin()` is dropped after BEGIN was sent, the connection goes back
/// to the pool inside an open transaction, and the next statement through the pool is silently never
/// committed. Web servers drop futures whenever a client disconnects. So when this one is dropped
/// unfinished, a task takes the rest of it over; the transaction that comes of it is dropped there, which
/// rolls it back. In the usual case nothing is spawned.
pub(crate) struct Begin<DB: Database> {
    rest: Option<Pin<Box<dyn Future<Output = Begun<DB>> + Send>>>,
}

impl<DB: Database> Begin<DB> {
    pub(crate) fn new(begin: impl Future<Output = Begun<DB>> + Send + 'static) -> Self {
        Self {
            rest: Some(Box::pin(begin)),
        }
    }
}

impl<DB: Database> Future for Begin<DB> {
    type Output = Result<Transaction<'static, DB>, TransactionError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let rest = self.rest.as_mut().expect("a finished begin is not polled again");
        let begun = ready!(rest.as_mut().poll(cx));
        self.rest = None;
        Poll::Ready(begun.map_err(TransactionError::database("beginning a transaction")))
    }
}

impl<DB: Database> Drop for Begin<DB> {
    fn drop(&mut self) {
        if let Some(rest) = self.rest.take()
            // Without a runtime the process is on its way out, and its connections with it.
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn(async move { drop(rest.await) });
        }
    }
}
