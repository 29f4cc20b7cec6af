//! How far a group is in a partition, as it is written down with the offset. Kafka counts no attempts: this does. Pure.

/// The version of what is written; what another one wrote counts for nothing.
const VERSION: &str = "outbox/1";

/// What is committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Position {
    /// The lowest offset that is not finished.
    pub(super) offset: i64,
    /// Somebody had it in hand when this was written.
    pub(super) open: bool,
    /// How many attempts of it have come to an end, without that one.
    pub(super) spent: u32,
}

impl Position {
    /// What is written beside the offset.
    pub(super) fn metadata(self) -> String {
        let state = if self.open { "open" } else { "closed" };
        format!("{VERSION} {state} {}", self.spent)
    }

    /// How many attempts of the first message have come to an end when somebody else goes on: an owner that had it in hand, and
    /// wrote nothing more, died with it.
    pub(super) fn spent_by_now(metadata: &str) -> u32 {
        let mut words = metadata.split(' ');
        if words.next() != Some(VERSION) {
            return 0;
        }
        let open = words.next() == Some("open");
        let spent: u32 = words.next().and_then(|spent| spent.parse().ok()).unwrap_or(0);
        spent.saturating_add(open.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_died_with_it_has_spent_an_attempt() {
        for (open, spent, by_now) in [(true, 0, 1), (true, 2, 3), (false, 0, 0), (false, 2, 2)] {
            let position = Position {
                offset: 7,
                open,
                spent,
            };
            assert_eq!(Position::spent_by_now(&position.metadata()), by_now);
        }
        for other in ["", "outbox/2 open 3", "open", "outbox/1", "theirs"] {
            assert_eq!(Position::spent_by_now(other), 0, "{other:?}");
        }
        assert_eq!(Position::spent_by_now("outbox/1 open 4294967295"), u32::MAX);
    }
}
