use std::fmt;
use std::str::FromStr;

use crate::error::OutboxError;

/// Whose dead letters: those of the outbox, which no queue took, or those of a consumer group, which its handler refused.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Source {
    /// The outbox.
    Outbox,
    /// The consumer group of this name.
    Group(String),
}

impl Source {
    /// A consumer group.
    pub fn group(name: impl Into<String>) -> Self {
        Self::Group(name.into())
    }
}

/// `outbox`, or `group:` and the name: what the audit stores.
impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Outbox => f.write_str("outbox"),
            Self::Group(name) => write!(f, "group:{name}"),
        }
    }
}

/// What [`Display`](fmt::Display) wrote.
impl FromStr for Source {
    type Err = OutboxError;

    fn from_str(text: &str) -> Result<Self, OutboxError> {
        match text.strip_prefix("group:") {
            Some(name) if !name.is_empty() => Ok(Self::group(name)),
            None if text == "outbox" => Ok(Self::Outbox),
            _ => Err(OutboxError::NotA {
                what: "source of dead letters (`outbox` or `group:NAME`)",
                text: text.to_owned(),
            }),
        }
    }
}
