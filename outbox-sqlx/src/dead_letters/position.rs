use std::fmt;
use std::str::FromStr;

use super::source::Source;
use crate::error::OutboxError;

/// Where a dead letter is: its name, and how pages go on after it.
///
/// Positions are ordered as dead letters are listed: the outbox before the groups, these by name; in each, those of a key in
/// the key's order. A position stays what it is as long as the letter is dead, and nothing else ever gets it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    source: Source,
    /// The row in the outbox, or the queue's id.
    first: i64,
    /// 0, or the offset in the queue.
    second: i64,
}

impl Position {
    pub(super) fn new(source: Source, first: i64, second: i64) -> Self {
        Self {
            source,
            first,
            second,
        }
    }

    /// Before all letters of a source.
    pub(super) fn start(source: Source) -> Self {
        Self::new(source, i64::MIN, i64::MIN)
    }

    /// After all that came before this one.
    pub(super) fn just_before(&self) -> Self {
        match self.source {
            Source::Outbox => Self::new(Source::Outbox, self.first.saturating_sub(1), 0),
            Source::Group(_) => Self::new(self.source.clone(), self.first, self.second.saturating_sub(1)),
        }
    }

    /// Whose dead letter.
    pub fn source(&self) -> &Source {
        &self.source
    }

    pub(super) fn numbers(&self) -> (i64, i64) {
        (self.first, self.second)
    }
}

/// `outbox/12`, or `group:shipping/3/77`.
impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.source {
            Source::Outbox => write!(f, "{}/{}", self.source, self.first),
            Source::Group(_) => write!(f, "{}/{}/{}", self.source, self.first, self.second),
        }
    }
}

/// What [`Display`](fmt::Display) wrote.
impl FromStr for Position {
    type Err = OutboxError;

    fn from_str(text: &str) -> Result<Self, OutboxError> {
        let parse = || -> Option<Self> {
            // From the end, because a group's name may have slashes.
            let (rest, last) = text.rsplit_once('/')?;
            let last: i64 = last.parse().ok()?;
            if rest == "outbox" {
                return Some(Self::new(Source::Outbox, last, 0));
            }
            let (source, queue) = rest.rsplit_once('/')?;
            match source.parse().ok()? {
                Source::Outbox => None,
                group @ Source::Group(_) => Some(Self::new(group, queue.parse().ok()?, last)),
            }
        };
        parse().ok_or_else(|| OutboxError::NotA {
            what: "position of a dead letter (`outbox/12`, `group:NAME/3/77`)",
            text: text.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(name in ".{1,20}", first: i64, second: i64, outbox: bool) {
            let position = match outbox {
                true => Position::new(Source::Outbox, first, 0),
                false => Position::new(Source::group(name), first, second),
            };
            prop_assert_eq!(position.to_string().parse::<Position>().unwrap(), position);
        }

        #[test]
        fn any_text_is_read_or_refused(text in ".{0,40}") {
            let _ = text.parse::<Position>();
        }
    }

    #[test]
    fn what_is_none_is_refused_by_its_text() {
        for text in [
            "",
            "outbox",
            "outbox/x",
            "outbox/1/2",
            "group:/1/2",
            "group:g/1",
            "other/1/2",
        ] {
            let error = text.parse::<Position>().unwrap_err();
            assert!(error.to_string().contains(&format!("{text:?}")), "{error}");
        }
    }

    #[test]
    fn the_outbox_comes_before_the_groups() {
        let group = |name: &str, first| Position::new(Source::group(name), first, 0);
        assert!(Position::new(Source::Outbox, i64::MAX, 0) < group("a", 0));
        assert!(group("a", 9) < group("b", 1));
    }
}
