use std::collections::{BTreeSet, HashSet};

use super::{Claim, Fingerprint, Ledger, Name, NewRow, Stored};
use crate::database::LedgerDatabase;
use crate::error::IdempotencyError;

/// How often a claim looks again at a row that vanished while it looked: retention had removed it, or another claim took it
/// over. More would mean that somebody removes rows all the time.
const ROUNDS: usize = 3;

/// What became of many keys.
#[derive(Debug, Default)]
pub(crate) struct ClaimedMany {
    pub(crate) first: HashSet<String>,
    pub(crate) duplicates: HashSet<String>,
}

impl<DB: LedgerDatabase> Ledger<DB> {
    /// In a transaction that is known to be open.
    pub(crate) async fn claim_open(
        &self,
        connection: &mut DB::Connection,
        name: Name<'_>,
        fingerprint: Option<Fingerprint>,
    ) -> Result<Claim, IdempotencyError> {
        match self.rounds(connection, name, fingerprint).await {
            Ok(claim) => Ok(claim),
            Err(error) => match IdempotencyError::database("claiming a key")(error).or_busy() {
                IdempotencyError::Busy => Ok(Claim::Busy),
                error => Err(error),
            },
        }
    }

    async fn rounds(
        &self,
        connection: &mut DB::Connection,
        name: Name<'_>,
        fingerprint: Option<Fingerprint>,
    ) -> sqlx::Result<Claim> {
        let row = NewRow {
            name,
            fingerprint,
            keep: self.keep,
        };
        for _ in 0..ROUNDS {
            if DB::claim(connection, &self.texts, row).await? {
                return Ok(Claim::First);
            }
            let Some(found) = DB::read(connection, &self.texts, name).await? else {
                continue;
            };
            if found.expired {
                if DB::take_over(connection, &self.texts, row).await? {
                    return Ok(Claim::First);
                }
                continue;
            }
            if found.in_flight {
                return Ok(Claim::Busy);
            }
            let differs = |stored: &[u8]| fingerprint.is_some_and(|ours| ours.as_bytes()[..] != *stored);
            if found.fingerprint.as_deref().is_some_and(differs) {
                return Ok(Claim::Conflict);
            }
            DB::flush_with_commit(connection).await?;
            return Ok(Claim::Duplicate(found.stored));
        }
        Ok(Claim::Busy)
    }

    /// Claims many keys of a scope, each of which is there once: by one statement, where none of them was done before. Under
    /// the same conditions as [`Ledger::claim_open`].
    pub(crate) async fn claim_many(
        &self,
        connection: &mut DB::Connection,
        scope: &str,
        keys: &[&str],
    ) -> Result<ClaimedMany, IdempotencyError> {
        /// Where one duplicate refuses all, the second round is without it.
        const ROUNDS: usize = 2;
        let failed = || |error| IdempotencyError::database("claiming many keys")(error).or_busy();
        let mut claimed = ClaimedMany::default();
        // In one order: two batches with the same keys then wait for each other and don't meet a deadlock.
        let mut rest: BTreeSet<&str> = keys.iter().copied().collect();
        for _ in 0..ROUNDS {
            let asked: Vec<&str> = rest.iter().copied().collect();
            let first = DB::claim_many(connection, &self.texts, scope, &asked, self.keep)
                .await
                .map_err(failed())?;
            move_over(&mut rest, &mut claimed.first, first);
            if rest.is_empty() {
                return Ok(claimed);
            }
            let asked: Vec<&str> = rest.iter().copied().collect();
            let done = DB::read_many(connection, scope, &asked).await.map_err(failed())?;
            if !done.is_empty() {
                DB::flush_with_commit(connection).await.map_err(failed())?;
            }
            move_over(&mut rest, &mut claimed.duplicates, done);
            if rest.is_empty() {
                return Ok(claimed);
            }
        }
        for key in rest {
            match self.claim_open(connection, Name { scope, key }, None).await? {
                Claim::First => claimed.first.insert(key.to_owned()),
                Claim::Duplicate(Stored { .. }) => claimed.duplicates.insert(key.to_owned()),
                Claim::Conflict => return Err(IdempotencyError::Conflict),
                Claim::Busy => return Err(IdempotencyError::Busy),
            };
        }
        Ok(claimed)
    }
}

fn move_over(from: &mut BTreeSet<&str>, to: &mut HashSet<String>, keys: Vec<String>) {
    for key in keys {
        from.remove(key.as_str());
        to.insert(key);
    }
}
