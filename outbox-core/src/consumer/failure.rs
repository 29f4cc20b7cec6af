use std::any::Any;
use std::time::Duration;

use super::handler::{HandleError, Retry};

/// Why a message, or a batch, was not handled.
pub(super) enum Failure {
    Error(HandleError),
    Panic(String),
    Timeout(Duration),
    /// It was not even tried: what came before was all the attempts there are.
    Spent {
        made: u32,
        allowed: u32,
    },
}

impl Failure {
    pub(super) fn of_panic(panic: &(dyn Any + Send)) -> Self {
        let text = panic
            .downcast_ref::<&str>()
            .copied()
            .or_else(|| panic.downcast_ref::<String>().map(String::as_str));
        Self::Panic(match text {
            Some(text) => format!("the handler panicked: {text}"),
            None => "the handler panicked".to_owned(),
        })
    }

    /// The reason as a label of metrics.
    pub(super) fn label(&self) -> &'static str {
        match self {
            Self::Error(error) if error.is_permanent() => "permanent",
            Self::Error(error) if matches!(error.retry(), Retry::NotNow(_)) => "not_now",
            Self::Error(_) => "error",
            Self::Panic(_) => "panic",
            Self::Timeout(_) => "timeout",
            Self::Spent { .. } => "spent",
        }
    }

    pub(super) fn text(&self) -> String {
        match self {
            Self::Error(error) => error.to_string(),
            Self::Panic(text) => text.clone(),
            Self::Timeout(timeout) => format!("the handler took longer than {timeout:?}"),
            Self::Spent { made, allowed } => format!(
                "attempts are spent: {made} were made and {allowed} are allowed; \
                 the last one told no outcome, as when its process dies"
            ),
        }
    }

    pub(super) fn retry(&self) -> Retry {
        match self {
            Self::Error(error) => error.retry(),
            Self::Panic(_) | Self::Timeout(_) => Retry::ByPolicy,
            Self::Spent { .. } => Retry::Never,
        }
    }
}
