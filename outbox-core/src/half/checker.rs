use std::sync::Arc;

use async_trait::async_trait;

use super::answer::{CheckAnswer, CheckError};
use crate::message::Message;

/// Knows what became of the local work that belongs to a half message: the producer's side of the check-back.
///
/// *Not found is [`Unknown`](CheckAnswer::Unknown)*: the local work may still be running, and commit after the answer.
/// [`RolledBack`](CheckAnswer::RolledBack) is for a checker that has made that impossible, as
/// [`TombstoneChecker`](super::TombstoneChecker) does.
#[async_trait]
pub trait Checker: Send + Sync + 'static {
    /// What became of it. It may be asked several times about one message, also at the same time by two processes when
    /// one was too slow, and has to give answers that agree.
    ///
    /// The future is dropped when it takes longer than the check's timeout.
    ///
    /// # Errors
    /// What it has to ask can't be reached. That is no answer and costs the message no check; a panic or a timeout
    /// counts as the same.
    async fn check(&self, message: &Message) -> Result<CheckAnswer, CheckError>;
}

#[async_trait]
impl<C: Checker + ?Sized> Checker for Arc<C> {
    async fn check(&self, message: &Message) -> Result<CheckAnswer, CheckError> {
        (**self).check(message).await
    }
}

/// Object safety is part of the contract: checkers are registered by topic at run time.
fn _obj_safe(_: &dyn Checker) {}
