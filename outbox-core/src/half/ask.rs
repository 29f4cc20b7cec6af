//! Asks a checker once, within its time, and contains its panics.

use std::any::Any;
use std::error::Error;
use std::fmt::Write as _;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt;

use super::answer::{CheckAnswer, CheckError};
use super::checker::Checker;
use crate::message::Message;

/// Longer texts are cut before they are stored.
const MAX_SAID_BYTES: usize = 2_048;

/// The answer, or why there is none.
pub(super) async fn ask(
    checker: &dyn Checker,
    message: &Message,
    timeout: Duration,
) -> Result<CheckAnswer, String> {
    // Unwind safe: after a panic nothing of what the checker borrowed is looked at but the message, which it can't change.
    let mut asking = Box::pin(AssertUnwindSafe(async { checker.check(message).await }).catch_unwind());
    let answered = tokio::time::timeout(timeout, &mut asking).await;
    // A checker that is cut off may panic in a destructor; that must not take the check-back along.
    let _ = std::panic::catch_unwind(AssertUnwindSafe(|| drop(asking)));
    let text = match answered {
        Ok(Ok(Ok(answer))) => return Ok(answer),
        Ok(Ok(Err(error))) => with_causes(&error),
        Ok(Err(panic)) => of_panic(&*panic),
        Err(_) => format!("the checker took longer than {timeout:?}"),
    };
    Err(shortened(text))
}

/// The whole chain: the operator who reads it has nothing else.
fn with_causes(error: &CheckError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let _ = write!(text, ": {error}");
        cause = error.source();
    }
    text
}

fn of_panic(panic: &(dyn Any + Send)) -> String {
    let text = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    match text {
        Some(text) => format!("the checker panicked: {text}"),
        None => "the checker panicked".to_owned(),
    }
}

fn shortened(mut text: String) -> String {
    let mut end = text.len().min(MAX_SAID_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    text
}
