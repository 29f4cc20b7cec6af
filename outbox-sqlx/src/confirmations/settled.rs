use std::collections::{BTreeMap, HashSet};

use super::asked::Asked;
use super::record::CLOSE;
use crate::queue::QueueDatabase;
use crate::queue::statement::{Statement, args, statement};

pub(super) const OF: Statement = statement!("confirm_of");

/// For the relay, after it has moved these rows and committed: those whose confirmations had come before wait no longer.
/// Whoever records one later finds its message there.
pub(crate) async fn settled<DB: QueueDatabase>(
    connection: &mut DB::Connection,
    ids: &[i64],
) -> sqlx::Result<()> {
    let ids = serde_json::json!(ids).to_string();
    let rows = DB::rows(connection, OF, args![&ids]).await?;
    let mut waiting: BTreeMap<i64, (Asked, HashSet<String>)> = BTreeMap::new();
    for row in &rows {
        let id = row.int(0)?;
        let (_, given) = match waiting.entry(id) {
            std::collections::btree_map::Entry::Occupied(known) => known.into_mut(),
            std::collections::btree_map::Entry::Vacant(new) => {
                new.insert((Asked::read(row, 1)?, HashSet::new()))
            }
        };
        given.insert(row.text(3)?);
    }
    for (id, (asked, given)) in waiting {
        if asked.is_satisfied(&given) {
            DB::execute(connection, CLOSE, args![id]).await?;
        }
    }
    Ok(())
}
