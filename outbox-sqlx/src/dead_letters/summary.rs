use std::collections::HashMap;
use std::time::SystemTime;

use sqlx::Pool;

use super::filter::DeadLetterFilter;
use super::fingerprint::{Fingerprint, cut};
use super::letter::DeadLetter;
use super::position::Position;
use super::source::Source;
use super::walk::{Walk, now};
use crate::error::OutboxError;
use crate::queue::QueueDatabase;

/// Most letters that one summary looks at.
pub const SUMMARY_LETTERS_MAX: u64 = 100_000;
/// Most causes that one summary tells apart.
pub const SUMMARY_CAUSES_MAX: usize = 1_000;
/// So many bytes of an error are its sample.
const SAMPLE_BYTES: usize = 512;
/// Letters are read in portions of so many.
const PORTION: u32 = 1_000;

/// Dead letters by what they most likely died of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Summary {
    /// The most frequent first.
    pub causes: Vec<Cause>,
    /// How many letters it has looked at.
    pub looked_at: u64,
    /// Letters that are in none of the causes, because there were [`SUMMARY_CAUSES_MAX`] others before.
    pub uncounted: u64,
    /// Set when there are more letters than [`SUMMARY_LETTERS_MAX`]: those after this one were not looked at. Their summary is
    /// had by asking from here.
    pub cut_at: Option<Position>,
}

impl Summary {
    /// Whether it says less than there is.
    pub fn is_cut(&self) -> bool {
        self.cut_at.is_some() || self.uncounted > 0
    }
}

/// Dead letters of one source and topic with the same fingerprint.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Cause {
    /// Whose.
    pub source: Source,
    /// Their topic.
    pub topic: String,
    /// Of their errors.
    pub fingerprint: Fingerprint,
    /// How many there are.
    pub count: u64,
    /// The error of one of them, at most the first 512 bytes of it.
    pub sample: Option<String>,
    /// When the first of them died.
    pub oldest: SystemTime,
    /// When the last of them died.
    pub newest: SystemTime,
}

pub(super) async fn summary<DB: QueueDatabase>(
    pool: &Pool<DB>,
    filter: &DeadLetterFilter,
    after: Option<&Position>,
    letters_max: u64,
) -> Result<Summary, OutboxError> {
    let now = now(pool).await?;
    let mut walk = Walk::new(pool, filter, after, now).await?;
    let mut tally = Tally::new(SUMMARY_CAUSES_MAX);
    let mut cut_at = None;
    let mut looked_at = 0;
    while looked_at < letters_max {
        let portion = u32::try_from(letters_max - looked_at).map_or(PORTION, |left| left.min(PORTION));
        let found = walk.next(portion, portion.into()).await?;
        looked_at += found.looked_at;
        for letter in found.letters {
            tally.count(letter);
        }
        cut_at = found.next;
        if cut_at.is_none() {
            break;
        }
    }
    Ok(Summary {
        uncounted: tally.uncounted,
        causes: tally.causes(),
        looked_at,
        cut_at,
    })
}

/// Counts letters by cause, up to so many causes.
struct Tally {
    most: usize,
    causes: HashMap<(Source, String, Fingerprint), Cause>,
    uncounted: u64,
}

impl Tally {
    fn new(most: usize) -> Self {
        Self {
            most,
            causes: HashMap::new(),
            uncounted: 0,
        }
    }

    fn count(&mut self, letter: DeadLetter) {
        let key = (letter.source().clone(), letter.topic.clone(), letter.fingerprint);
        if let Some(cause) = self.causes.get_mut(&key) {
            cause.count += 1;
            cause.oldest = cause.oldest.min(letter.died_at);
            cause.newest = cause.newest.max(letter.died_at);
            return;
        }
        if self.causes.len() >= self.most {
            self.uncounted += 1;
            return;
        }
        let cause = Cause {
            source: key.0.clone(),
            topic: letter.topic,
            fingerprint: letter.fingerprint,
            count: 1,
            sample: letter
                .last_error
                .map(|error| cut(&error, SAMPLE_BYTES).to_owned()),
            oldest: letter.died_at,
            newest: letter.died_at,
        };
        self.causes.insert(key, cause);
    }

    fn causes(self) -> Vec<Cause> {
        let mut causes: Vec<Cause> = self.causes.into_values().collect();
        causes.sort_unstable_by(|a, b| {
            let rest = |cause: &Cause| (cause.source.clone(), cause.topic.clone(), cause.fingerprint);
            b.count.cmp(&a.count).then_with(|| rest(a).cmp(&rest(b)))
        });
        causes
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use outbox_core::MessageId;

    use super::*;
    use crate::dead::DeadReason;

    fn letter(row: i64, topic: &str, error: &str) -> DeadLetter {
        DeadLetter {
            position: Position::new(Source::Outbox, row, 0),
            id: MessageId(uuid::Uuid::nil()),
            topic: topic.to_owned(),
            key: None,
            is_parked: false,
            reason: DeadReason::Skipped,
            attempts: 1,
            last_error: Some(error.to_owned()),
            fingerprint: Fingerprint::of(Some(error)),
            created_at: UNIX_EPOCH,
            died_at: UNIX_EPOCH + Duration::from_secs(row.unsigned_abs()),
            payload_bytes: 0,
            shard: 0,
        }
    }

    #[test]
    fn what_is_beyond_the_causes_is_said() {
        let mut tally = Tally::new(2);
        for (row, error) in [(5, "a 1"), (3, "b"), (9, "a 2"), (1, "c"), (2, "d"), (4, "b")] {
            tally.count(letter(row, "t", error));
        }
        tally.count(letter(7, "t", "a 3"));
        assert_eq!(tally.uncounted, 2);
        let causes = tally.causes();
        let counts: Vec<_> = causes
            .iter()
            .map(|cause| (cause.sample.as_deref(), cause.count))
            .collect();
        assert_eq!(counts, [(Some("a 1"), 3), (Some("b"), 2)]);
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        assert_eq!((causes[0].oldest, causes[0].newest), (at(5), at(9)));
    }

    #[test]
    fn a_sample_is_bounded() {
        let mut tally = Tally::new(1);
        tally.count(letter(1, "t", &"é".repeat(1_000)));
        assert_eq!(tally.causes()[0].sample.as_ref().unwrap().len(), SAMPLE_BYTES);
    }

    #[cfg(feature = "sqlite")]
    #[tokio::test]
    async fn what_was_not_looked_at_is_said() {
        let pool = crate::sqlite::open("sqlite::memory:").await.unwrap();
        crate::migrate(&pool).await.unwrap();
        sqlx::query(
            "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 10)
             INSERT INTO outbox_dead (id, message_id, shard, topic, payload, headers, created_at, attempts, last_error, reason)
             SELECT n, zeroblob(16), 0, 't', '', '{}', 0, 1, 'no', 'skipped' FROM n",
        )
        .execute(&pool)
        .await
        .unwrap();
        let all = DeadLetterFilter::new();
        let cut = summary(&pool, &all, None, 7).await.unwrap();
        assert_eq!((cut.looked_at, cut.causes[0].count, cut.is_cut()), (7, 7, true));
        let rest = summary(&pool, &all, cut.cut_at.as_ref(), 7).await.unwrap();
        assert_eq!(
            (rest.looked_at, rest.causes[0].count, rest.is_cut()),
            (3, 3, false)
        );
    }
}
