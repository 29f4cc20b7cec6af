//! What was done with dead and blocked messages, by whom, and why.

use std::fmt;
use std::str::FromStr;
use std::time::SystemTime;

use outbox_core::MessageId;
use sqlx::Pool;

use super::source::Source;
use crate::dead::{page, time};
use crate::error::OutboxError;
use crate::operator::{DISCARDED, REDRIVEN, UNBLOCKED};
use crate::queue::QueueDatabase;
use crate::queue::statement::{Cells, Statement, args, statement};

const LIST: Statement = statement!("audit_list");

/// What somebody did with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Action {
    /// It was given back.
    Redriven,
    /// It was given up. By `retention` where nobody decided in time.
    Discarded,
    /// It was blocked, and may be tried again.
    Unblocked,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Redriven => REDRIVEN,
            Self::Discarded => DISCARDED,
            Self::Unblocked => UNBLOCKED,
        })
    }
}

/// What [`Display`](fmt::Display) wrote.
impl FromStr for Action {
    type Err = OutboxError;

    fn from_str(text: &str) -> Result<Self, OutboxError> {
        match text {
            REDRIVEN => Ok(Self::Redriven),
            DISCARDED => Ok(Self::Discarded),
            UNBLOCKED => Ok(Self::Unblocked),
            _ => Err(OutboxError::NotA {
                what: "action (`redriven`, `discarded`, `unblocked`)",
                text: text.to_owned(),
            }),
        }
    }
}

/// Which lines of the audit. What is not set leaves none out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct AuditFilter {
    /// Only of this source.
    pub source: Option<Source>,
    /// Only of this topic.
    pub topic: Option<String>,
    /// Only of this ordering key.
    pub key: Option<String>,
    /// Only of the message with this id.
    pub message: Option<MessageId>,
    /// Only this action.
    pub action: Option<Action>,
    /// Only what this one did.
    pub by: Option<String>,
}

impl AuditFilter {
    /// All of them.
    pub fn new() -> Self {
        Self::default()
    }

    /// Only of this source.
    #[must_use]
    pub fn source(mut self, source: Source) -> Self {
        self.source = Some(source);
        self
    }

    /// Only of this topic.
    #[must_use]
    pub fn topic(mut self, topic: impl Into<String>) -> Self {
        self.topic = Some(topic.into());
        self
    }

    /// Only of this ordering key.
    #[must_use]
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Only of the message with this id.
    #[must_use]
    pub fn message(mut self, id: MessageId) -> Self {
        self.message = Some(id);
        self
    }

    /// Only this action.
    #[must_use]
    pub fn action(mut self, action: Action) -> Self {
        self.action = Some(action);
        self
    }

    /// Only what this one did.
    #[must_use]
    pub fn by(mut self, by: impl Into<String>) -> Self {
        self.by = Some(by.into());
        self
    }
}

/// A line of the audit's number: later lines mostly have higher ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AuditId(i64);

impl fmt::Display for AuditId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What [`Display`](fmt::Display) wrote.
impl FromStr for AuditId {
    type Err = OutboxError;

    fn from_str(text: &str) -> Result<Self, OutboxError> {
        text.parse().map(Self).map_err(|_| OutboxError::NotA {
            what: "number of a line of the audit",
            text: text.to_owned(),
        })
    }
}

/// A line of the audit: what was done with one message. Its payload is not kept.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AuditEntry {
    /// Its number, and the position for the next page.
    pub id: AuditId,
    /// When, by the database's clock.
    pub at: SystemTime,
    /// Who, as the caller said; `retention` where nobody decided in time.
    pub by: String,
    /// What.
    pub action: Action,
    /// Whose message it was.
    pub source: Source,
    /// The message's id. Nil where foreign code stored no valid one.
    pub message: MessageId,
    /// Its topic.
    pub topic: String,
    /// Its ordering key.
    pub key: Option<String>,
    /// The failed attempts it had behind it.
    pub attempts: u32,
    /// What the last one ended with.
    pub last_error: Option<String>,
    /// Why it was discarded.
    pub reason: Option<String>,
}

pub(super) async fn list<DB: QueueDatabase>(
    pool: &Pool<DB>,
    filter: &AuditFilter,
    after: Option<AuditId>,
    limit: u32,
) -> Result<Vec<AuditEntry>, OutboxError> {
    let failed = || OutboxError::database("reading the audit");
    let source = filter.source.as_ref().map(ToString::to_string);
    let action = filter.action.map(|action| action.to_string());
    let arguments = args![
        source.as_deref(),
        filter.topic.as_deref(),
        filter.key.as_deref(),
        filter.message.map(|id| id.0),
        action.as_deref(),
        filter.by.as_deref(),
        after.map_or(i64::MAX, |AuditId(id)| id),
        page(limit)
    ];
    let mut connection = pool.acquire().await.map_err(failed())?;
    let rows = DB::rows(&mut connection, LIST, arguments)
        .await
        .map_err(failed())?;
    rows.iter().map(entry::<DB>).collect()
}

fn entry<DB: QueueDatabase>(row: &Cells<DB>) -> Result<AuditEntry, OutboxError> {
    let failed = || OutboxError::database("reading the audit");
    Ok(AuditEntry {
        id: AuditId(row.int(0).map_err(failed())?),
        at: time(row.int(1).map_err(failed())?),
        by: row.text(2).map_err(failed())?,
        action: row.text(3).map_err(failed())?.parse()?,
        source: row.text(4).map_err(failed())?.parse()?,
        message: MessageId(row.id(5).map_err(failed())?),
        topic: row.text(6).map_err(failed())?,
        key: row.maybe_text(7).map_err(failed())?,
        attempts: row.int(8).map_err(failed())?.try_into().unwrap_or(0),
        last_error: row.maybe_text(9).map_err(failed())?,
        reason: row.maybe_text(10).map_err(failed())?,
    })
}
