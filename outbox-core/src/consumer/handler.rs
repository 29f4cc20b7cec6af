use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::event::DecodeError;
use crate::message::Message;
use crate::subscriber::Delivery;

/// Handles messages. The same one may come more than once, and must then take effect once: that is what
/// a ledger is for.
///
/// `Ok` acknowledges the message. The future may be dropped at any await, when it takes longer than the
/// handler's timeout or when the consumer stops; that, an error and a panic fail this message only.
///
/// Functions and closures from [`Message`] to such a result are handlers:
///
/// ```
/// use outbox_core::Message;
/// use outbox_core::consumer::{HandleError, Handler};
///
/// async fn reserve_stock(message: Message) -> Result<(), HandleError> {
///     let items: Vec<String> = message.decode_json()?; // a malformed payload is permanent
///     if items.is_empty() {
///         return Err(HandleError::permanent("an order without items"));
///     }
///     Ok(())
/// }
/// fn is_a_handler(_: impl Handler) {}
/// is_a_handler(reserve_stock);
/// ```
#[async_trait]
pub trait Handler: Send + Sync + 'static {
    /// Handles one message.
    ///
    /// # Errors
    /// The message was not handled; [`HandleError`] says whether trying again may help.
    async fn handle(&self, delivery: &Delivery) -> Result<(), HandleError>;
}

#[async_trait]
impl<F, R> Handler for F
where
    F: Fn(Message) -> R + Send + Sync + 'static,
    R: Future<Output = Result<(), HandleError>> + Send,
{
    async fn handle(&self, delivery: &Delivery) -> Result<(), HandleError> {
        self(delivery.message().clone()).await
    }
}

#[async_trait]
impl<H: Handler + ?Sized> Handler for Arc<H> {
    async fn handle(&self, delivery: &Delivery) -> Result<(), HandleError> {
        (**self).handle(delivery).await
    }
}

/// Why a message was not handled.
///
/// `?` makes one of any error: a [`DecodeError`], however deep among the sources, is permanent, everything
/// else is tried again. (For the sake of that `?` this is no `std::error::Error` itself.)
///
/// The texts are kept with the message and shown to operators: they must not hold the payload.
#[derive(Clone)]
pub struct HandleError {
    retry: Retry,
    error: Arc<dyn Error + Send + Sync>,
}

/// What may help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Retry {
    /// Another attempt, when the policy says.
    ByPolicy,
    /// Another attempt, after this time.
    After(Duration),
    /// Nothing.
    Never,
    /// It did not fail: it can't be handled at this moment. No attempt is spent.
    NotNow(Duration),
}

impl HandleError {
    /// Try again, after a wait that the [`RetryPolicy`](crate::retry::RetryPolicy) chooses.
    pub fn retryable(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(Retry::ByPolicy, error)
    }

    /// Try again after `wait`. The attempt counts, and the policy bounds how many there are.
    pub fn retry_after(wait: Duration, error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(Retry::After(wait), error)
    }

    /// Trying again can't help: the message goes to the dead letters at once.
    pub fn permanent(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(Retry::Never, error)
    }

    /// The message did not fail, it can't be handled at this moment: somebody else is handling it, or the database is
    /// away. After `wait` (at most [`HandleError::NOT_NOW_MAX`]), in which it keeps its place and its slot, it is given back
    /// to its queue and comes again. That costs no attempt, so whoever says this has to be sure that it ends.
    pub fn not_now(wait: Duration, error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(Retry::NotNow(wait.min(Self::NOT_NOW_MAX)), error)
    }

    /// The longest wait of [`HandleError::not_now`].
    pub const NOT_NOW_MAX: Duration = Duration::from_secs(5);

    fn new(retry: Retry, error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            retry,
            error: error.into().into(),
        }
    }

    /// Whether trying again can't help.
    pub fn is_permanent(&self) -> bool {
        self.retry == Retry::Never
    }

    /// Whether the message did not fail, and only can't be handled at this moment.
    pub fn is_not_now(&self) -> bool {
        matches!(self.retry, Retry::NotNow(_))
    }

    /// The cause.
    pub fn cause(&self) -> &(dyn Error + Send + Sync + 'static) {
        &*self.error
    }

    pub(super) fn retry(&self) -> Retry {
        self.retry
    }
}

impl<E: Error + Send + Sync + 'static> From<E> for HandleError {
    fn from(error: E) -> Self {
        let mut cause: Option<&(dyn Error + 'static)> = Some(&error);
        let mut retry = Retry::ByPolicy;
        while let Some(error) = cause {
            if error.is::<DecodeError>() {
                retry = Retry::Never;
            }
            cause = error.source();
        }
        Self::new(retry, error)
    }
}

/// The cause and its sources, joined by colons: what is kept with a message.
impl fmt::Display for HandleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.error)?;
        let mut source = self.error.source();
        while let Some(error) = source {
            write!(f, ": {error}")?;
            source = error.source();
        }
        Ok(())
    }
}

impl fmt::Debug for HandleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HandleError")
            .field("retry", &self.retry)
            .field("error", &self.error)
            .finish()
    }
}

/// Object safety is part of the contract: the runtime holds a handler of any type.
fn _obj_safe(_: &dyn Handler) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("the order can't be read")]
    struct Wrapped(#[source] DecodeError);

    #[test]
    fn only_what_can_never_be_decoded_is_permanent_by_itself() {
        let decode = || Message::builder("t").payload("x", "text/plain").build_unchecked();
        let decode = || decode().decode_json::<u8>().unwrap_err();
        assert!(HandleError::from(decode()).is_permanent());
        let wrapped = HandleError::from(Wrapped(decode()));
        assert!(wrapped.is_permanent());
        assert!(
            wrapped
                .to_string()
                .starts_with("the order can't be read: message "),
            "{wrapped}"
        );
        assert!(!HandleError::from(std::io::Error::other("gone")).is_permanent());
        assert!(!HandleError::retryable("busy").is_permanent());
    }
}
