use std::collections::{HashMap, HashSet};
use std::time::SystemTime;

use outbox_core::MessageId;
use sqlx::Pool;

use super::asked::{Asked, given};
use super::record::OF;
use crate::error::OutboxError;
use crate::queue::QueueDatabase;
use crate::queue::statement::{Cells, Statement, args, statement};
use crate::stored_row::time;

const PENDING: Statement = statement!("confirm_pending");
const WAITING: Statement = statement!("confirm_waiting");

/// Most entries of one page.
pub const PAGE_MAX: u32 = 1_000;

/// Which waiting messages to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PendingFilter {
    /// Only of this topic.
    pub topic: Option<String>,
    /// Only of this ordering key.
    pub key: Option<String>,
    /// Only after this [`Unconfirmed::row`]: the last one of the page before.
    pub after: Option<i64>,
    /// At most so many; 0 and everything above [`PAGE_MAX`] count as [`PAGE_MAX`].
    pub limit: u32,
}

impl PendingFilter {
    /// All of them.
    pub fn new() -> Self {
        Self::default()
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

    /// Only after this one of the page before.
    #[must_use]
    pub fn after(mut self, row: i64) -> Self {
        self.after = Some(row);
        self
    }

    /// At most so many.
    #[must_use]
    pub fn limit(mut self, limit: u32) -> Self {
        self.limit = limit;
        self
    }
}

/// A delivered message that was not confirmed by all who have to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unconfirmed {
    /// Its id in the outbox, and the position for the next page.
    pub row: i64,
    /// The message's id.
    pub id: MessageId,
    /// Its topic.
    pub topic: String,
    /// Its ordering key.
    pub key: Option<String>,
    /// How many of the groups that it asks have to confirm.
    pub at_least: u32,
    /// Those that it asks and that have not.
    pub missing: Vec<String>,
    /// Those that have.
    pub confirmed: Vec<Confirmed>,
    /// When it was published.
    pub created_at: SystemTime,
    /// When it was delivered for the first time.
    pub since: SystemTime,
    /// When it is sent again, or given up.
    pub deadline: SystemTime,
    /// How often it was sent again.
    pub resends: u32,
    /// How often it may be.
    pub max_resends: u32,
}

/// A group's confirmation.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Confirmed {
    /// The group.
    pub group: String,
    /// When the confirmation came, by the clock of the sender's database.
    pub at: SystemTime,
}

/// How it stands with one message.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Standing {
    /// Who has confirmed it, also those that it did not ask. Kept for a while after the last one came.
    pub confirmed: Vec<Confirmed>,
    /// What it waits for. `None`: it was not delivered yet, or it was confirmed, or given up.
    pub awaiting: Option<Unconfirmed>,
}

pub(super) async fn page<DB: QueueDatabase>(
    pool: &Pool<DB>,
    filter: &PendingFilter,
) -> Result<Vec<Unconfirmed>, OutboxError> {
    let failed = || OutboxError::database("listing unconfirmed messages");
    let limit = match filter.limit {
        0 => PAGE_MAX,
        limit => limit.min(PAGE_MAX),
    };
    let mut connection = pool.acquire().await.map_err(failed())?;
    let arguments = args![
        filter.topic.as_deref(),
        filter.key.as_deref(),
        filter.after.unwrap_or(i64::MIN),
        i64::from(limit)
    ];
    let rows = DB::rows(&mut connection, PENDING, arguments)
        .await
        .map_err(failed())?;
    with_confirmations::<DB>(&mut connection, &rows)
        .await
        .map_err(failed())
}

pub(super) async fn of<DB: QueueDatabase>(pool: &Pool<DB>, id: MessageId) -> Result<Standing, OutboxError> {
    let failed = || OutboxError::database("looking for confirmations");
    let mut connection = pool.acquire().await.map_err(failed())?;
    let rows = DB::rows(&mut connection, WAITING, args![id.0])
        .await
        .map_err(failed())?;
    let waiting = with_confirmations::<DB>(&mut connection, &rows)
        .await
        .map_err(failed())?;
    let given = given::<DB>(&mut connection, id.0).await.map_err(failed())?;
    Ok(Standing {
        confirmed: given.into_iter().map(confirmed).collect(),
        awaiting: waiting.into_iter().next(),
    })
}

fn confirmed((group, at): (String, i64)) -> Confirmed {
    Confirmed { group, at: time(at) }
}

/// Messages with who has confirmed them: one more statement for the whole page.
async fn with_confirmations<DB: QueueDatabase>(
    connection: &mut DB::Connection,
    rows: &[Cells<DB>],
) -> sqlx::Result<Vec<Unconfirmed>> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<i64> = rows.iter().map(|row| row.int(0)).collect::<Result<_, _>>()?;
    let ids = serde_json::json!(ids).to_string();
    let mut given: HashMap<i64, Vec<(String, i64)>> = HashMap::new();
    for row in &DB::rows(connection, OF, args![&ids]).await? {
        let confirmation = (row.text(3)?, row.int(4)?);
        given.entry(row.int(0)?).or_default().push(confirmation);
    }
    rows.iter()
        .map(|row| unconfirmed(row, given.remove(&row.int(0)?).unwrap_or_default()))
        .collect()
}

fn unconfirmed<DB: QueueDatabase>(row: &Cells<DB>, given: Vec<(String, i64)>) -> sqlx::Result<Unconfirmed> {
    let small = |number: i64| u32::try_from(number).unwrap_or(0);
    let asked = Asked::read(row, 4)?;
    let groups: HashSet<String> = given.iter().map(|(group, _)| group.clone()).collect();
    let of_asked = given
        .into_iter()
        .filter(|(group, _)| asked.groups.contains(group));
    Ok(Unconfirmed {
        row: row.int(0)?,
        id: MessageId(row.id(1)?),
        topic: row.text(2)?,
        key: row.maybe_text(3)?,
        at_least: small(row.int(4)?),
        missing: asked.missing(&groups),
        confirmed: of_asked.map(confirmed).collect(),
        created_at: time(row.int(8)?),
        since: time(row.int(9)?),
        deadline: time(row.int(10)?),
        resends: small(row.int(6)?),
        max_resends: small(row.int(7)?),
    })
}
