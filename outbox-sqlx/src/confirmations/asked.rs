use std::collections::HashSet;

use crate::queue::QueueDatabase;
use crate::queue::statement::{Cells, Statement, args, statement};

const GIVEN: Statement = statement!("confirm_given");

/// Most confirmations of one message that are looked at. Many more than a message can ask for: what nobody asked for is
/// kept too, because it may have come before the message.
const GIVEN_MAX: i64 = 1_000;

/// Which groups have to confirm a message, as it is stored with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) groups: Vec<String>,
    pub(super) at_least: usize,
}

impl Asked {
    /// Of what is stored. What can't be read (somebody wrote it by hand) is asked of nobody, and so never confirmed: in the
    /// end it is given up, where somebody sees it.
    pub(super) fn of(at_least: i64, groups: &str) -> Self {
        Self {
            groups: serde_json::from_str(groups).unwrap_or_default(),
            at_least: usize::try_from(at_least).unwrap_or(1).max(1),
        }
    }

    /// Of the columns `at_least` and `confirm_groups`, in this order.
    pub(super) fn read<DB: QueueDatabase>(row: &Cells<DB>, column: usize) -> sqlx::Result<Self> {
        Ok(Self::of(row.int(column)?, &row.text(column + 1)?))
    }

    /// Whether enough of them are among these.
    pub(super) fn is_satisfied(&self, given: &HashSet<String>) -> bool {
        self.groups.iter().filter(|group| given.contains(*group)).count() >= self.at_least
    }

    /// Those that are not among these.
    pub(super) fn missing(&self, given: &HashSet<String>) -> Vec<String> {
        let missing = self.groups.iter().filter(|group| !given.contains(*group));
        missing.cloned().collect()
    }
}

/// Which groups have confirmed a message, and when, in microseconds since 1970.
pub(super) async fn given<DB: QueueDatabase>(
    connection: &mut DB::Connection,
    message_id: uuid::Uuid,
) -> sqlx::Result<Vec<(String, i64)>> {
    let rows = DB::rows(connection, GIVEN, args![message_id, GIVEN_MAX]).await?;
    rows.iter().map(|row| Ok((row.text(0)?, row.int(1)?))).collect()
}

/// Which groups have confirmed a message.
pub(super) async fn given_by<DB: QueueDatabase>(
    connection: &mut DB::Connection,
    message_id: uuid::Uuid,
) -> sqlx::Result<HashSet<String>> {
    let given = given::<DB>(connection, message_id).await?;
    Ok(given.into_iter().map(|(group, _)| group).collect())
}
