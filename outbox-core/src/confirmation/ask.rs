use std::time::Duration;

use crate::headers::Headers;
use crate::limits::Limits;
use crate::message::MessageError;

/// What a message asks for: who has to confirm that it was handled, by when, and where to.
///
/// It is checked when a message takes it ([`MessageBuilder::confirm_by`](crate::MessageBuilder::confirm_by)).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confirm {
    groups: Vec<String>,
    to: String,
    within: Duration,
    at_least: Option<usize>,
    resends: u32,
    /// Written by the sender alone, when it sends a message again.
    resent: u32,
    since: Option<i64>,
}

/// Who has to confirm, and by when; [`ConfirmBy::to`] makes it a [`Confirm`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "it asks for nothing until it is told where the confirmations go"]
pub struct ConfirmBy {
    groups: Vec<String>,
    within: Duration,
}

impl ConfirmBy {
    /// The topic for the confirmations, which the sender consumes.
    pub fn to(self, topic: impl Into<String>) -> Confirm {
        Confirm {
            groups: self.groups,
            to: topic.into(),
            within: self.within,
            at_least: None,
            resends: Confirm::RESENDS,
            resent: 0,
            since: None,
        }
    }
}

impl Confirm {
    /// Most groups that one message asks.
    pub const GROUPS_MAX: usize = 16;
    /// Most bytes of a group's name.
    pub const GROUP_BYTES: usize = 255;
    /// The shortest time to a deadline.
    pub const WITHIN_MIN: Duration = Duration::from_millis(1);
    /// The longest time to a deadline: a year.
    pub const WITHIN_MAX: Duration = Duration::from_secs(365 * 86_400);
    /// How often a message is sent again, unless it says otherwise.
    pub const RESENDS: u32 = 5;
    /// The most that a message may say.
    pub const RESENDS_MAX: u32 = 100;

    /// Asks these consumer groups to confirm within so long of each delivery, by the clock of the sender's database and in
    /// whole milliseconds.
    ///
    /// Names of groups are made of what names of topics are: ASCII letters, digits and `. _ - : /`.
    pub fn by<G: Into<String>>(groups: impl IntoIterator<Item = G>, within: Duration) -> ConfirmBy {
        ConfirmBy {
            groups: groups.into_iter().map(Into::into).collect(),
            within,
        }
    }

    /// So many of the groups are enough. Default: all.
    #[must_use]
    pub fn at_least(mut self, groups: usize) -> Self {
        self.at_least = Some(groups);
        self
    }

    /// How often the message is sent again when its deadline passes; after that it is parked among the dead letters.
    /// Default: [`Confirm::RESENDS`]; 0: it is parked at the first deadline.
    #[must_use]
    pub fn resends(mut self, max: u32) -> Self {
        self.resends = max;
        self
    }

    /// The groups that are asked.
    pub fn groups(&self) -> &[String] {
        &self.groups
    }

    /// The topic for the confirmations.
    pub fn topic(&self) -> &str {
        &self.to
    }

    /// The time from each delivery to its deadline.
    pub fn within(&self) -> Duration {
        self.within
    }

    /// How many of the groups have to confirm.
    pub fn needed(&self) -> usize {
        self.at_least.unwrap_or(self.groups.len())
    }

    /// How often the message is sent again at most.
    pub fn max_resends(&self) -> u32 {
        self.resends
    }

    /// How often it was sent again until now.
    pub fn resent(&self) -> u32 {
        self.resent
    }

    /// When it was delivered for the first time, in microseconds since 1970 by the database's clock, if it was sent again
    /// since.
    pub fn since(&self) -> Option<i64> {
        self.since
    }

    /// Whether this group is asked.
    pub fn asks(&self, group: &str) -> bool {
        self.groups.iter().any(|asked| asked == group)
    }

    /// Those of the asked groups that are not among these.
    pub fn missing(&self, confirmed: impl Fn(&str) -> bool) -> Vec<&str> {
        let groups = self.groups.iter().map(String::as_str);
        groups.filter(|group| !confirmed(group)).collect()
    }

    /// Whether it is enough that these have confirmed.
    pub fn is_satisfied(&self, confirmed: impl Fn(&str) -> bool) -> bool {
        self.groups.len() - self.missing(confirmed).len() >= self.needed()
    }

    /// What these headers ask for; `None` when they ask for nothing. Whether they do is told by looking at two names at
    /// most, and at none where there are no headers.
    ///
    /// # Errors
    /// They ask in a way that can't be understood.
    pub fn of(headers: &Headers) -> Result<Option<Self>, ConfirmError> {
        if headers.is_empty() {
            return Ok(None);
        }
        let to = headers.get_lower(Headers::CONFIRM_TO);
        let by = headers.get_lower(Headers::CONFIRM_BY);
        let missing = |name| ConfirmError::HeaderMissing { name };
        let (to, by) = match (to, by) {
            (None, None) => return Ok(None),
            (to, by) => (
                to.ok_or(missing(Headers::CONFIRM_TO))?,
                by.ok_or(missing(Headers::CONFIRM_BY))?,
            ),
        };
        let within =
            number(headers, Headers::CONFIRM_WITHIN_MS)?.ok_or(missing(Headers::CONFIRM_WITHIN_MS))?;
        // Counted before they are kept: what comes from foreign code is bounded by nothing else here.
        let count = by.split(',').count();
        if count > Self::GROUPS_MAX {
            return Err(ConfirmError::TooManyGroups { count });
        }
        let confirm = Self {
            groups: by.split(',').map(|group| group.trim().to_owned()).collect(),
            to: to.to_owned(),
            within: Duration::from_millis(within),
            at_least: number(headers, Headers::CONFIRM_AT_LEAST)?
                .map(|groups| usize::try_from(groups).unwrap_or(usize::MAX)),
            resends: small(headers, Headers::CONFIRM_RESENDS)?.unwrap_or(Self::RESENDS),
            resent: small(headers, Headers::CONFIRM_RESENT)?.unwrap_or(0),
            since: number(headers, Headers::CONFIRM_SINCE)?
                .map(|since| i64::try_from(since).unwrap_or(i64::MAX)),
        };
        confirm.check()?;
        Ok(Some(confirm))
    }

    /// Checks that it can be asked for.
    ///
    /// # Errors
    /// The first thing that is wrong, by name.
    pub fn check(&self) -> Result<(), ConfirmError> {
        if self.groups.is_empty() {
            return Err(ConfirmError::NoGroups);
        }
        if self.groups.len() > Self::GROUPS_MAX {
            return Err(ConfirmError::TooManyGroups {
                count: self.groups.len(),
            });
        }
        for (place, group) in self.groups.iter().enumerate() {
            check_group(group)?;
            if self.groups[..place].contains(group) {
                return Err(ConfirmError::GroupTwice { group: group.clone() });
            }
        }
        Limits::check_topic(&self.to).map_err(|source| ConfirmError::Topic(Box::new(source)))?;
        if !(Self::WITHIN_MIN..=Self::WITHIN_MAX).contains(&self.within) {
            return Err(ConfirmError::DeadlineOutOfRange { within: self.within });
        }
        if !(1..=self.groups.len()).contains(&self.needed()) {
            return Err(ConfirmError::AtLeastOutOfRange {
                at_least: self.needed(),
                groups: self.groups.len(),
            });
        }
        if self.resends > Self::RESENDS_MAX {
            return Err(ConfirmError::TooManyResends {
                resends: self.resends,
            });
        }
        Ok(())
    }

    /// Checked before; what is the default is not written.
    pub(crate) fn write_to(&self, headers: &mut Headers) {
        headers.insert(Headers::CONFIRM_TO, &self.to);
        headers.insert(Headers::CONFIRM_BY, self.groups.join(","));
        headers.insert(Headers::CONFIRM_WITHIN_MS, self.within.as_millis().to_string());
        match self.at_least {
            Some(groups) => headers.insert(Headers::CONFIRM_AT_LEAST, groups.to_string()),
            None => headers.remove(Headers::CONFIRM_AT_LEAST),
        };
        match self.resends {
            Self::RESENDS => headers.remove(Headers::CONFIRM_RESENDS),
            resends => headers.insert(Headers::CONFIRM_RESENDS, resends.to_string()),
        };
    }
}

/// A group's name is 1 to 255 bytes of what a topic's name is made of: it stands in a list divided by commas, in logs
/// and in a unique index of every database.
pub(super) fn check_group(group: &str) -> Result<(), ConfirmError> {
    if group.len() > Confirm::GROUP_BYTES {
        return Err(ConfirmError::GroupTooLong { bytes: group.len() });
    }
    match Limits::check_topic(group) {
        Ok(()) => Ok(()),
        Err(_) => Err(ConfirmError::GroupInvalid {
            group: group.escape_debug().to_string(),
        }),
    }
}

fn number(headers: &Headers, name: &'static str) -> Result<Option<u64>, ConfirmError> {
    let Some(text) = headers.get_lower(name) else {
        return Ok(None);
    };
    // Digits alone: `parse` would take a plus sign.
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse() {
        Ok(number) if digits => Ok(Some(number)),
        _ => Err(ConfirmError::HeaderInvalid { name }),
    }
}

fn small(headers: &Headers, name: &'static str) -> Result<Option<u32>, ConfirmError> {
    number(headers, name)?
        .map(|number| u32::try_from(number).map_err(|_| ConfirmError::HeaderInvalid { name }))
        .transpose()
}

/// Why nobody can be asked so.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfirmError {
    /// Nobody is asked.
    #[error("a message that asks to be confirmed has to name the consumer groups that it asks")]
    NoGroups,
    /// Too many are asked.
    #[error("{count} groups are asked to confirm, at most {} may be", Confirm::GROUPS_MAX)]
    TooManyGroups {
        /// How many.
        count: usize,
    },
    /// A name is empty or holds what names can't hold.
    #[error("the group {group:?} can't be asked to confirm: names are ASCII letters, digits and . _ - : /")]
    GroupInvalid {
        /// The name.
        group: String,
    },
    /// A name is too long.
    #[error(
        "the name of a group that is asked to confirm has {bytes} bytes, at most {} are allowed",
        Confirm::GROUP_BYTES
    )]
    GroupTooLong {
        /// How long it is.
        bytes: usize,
    },
    /// A group is asked twice, but can confirm once only.
    #[error("the group {group:?} is asked twice to confirm")]
    GroupTwice {
        /// The name.
        group: String,
    },
    /// The topic for the confirmations can't be named so.
    #[error("the topic for confirmations can't have this name")]
    Topic(#[source] Box<MessageError>),
    /// The deadline is too near or too far.
    #[error(
        "confirmations within {within:?} can't be asked for: at least {:?} and at most {:?}",
        Confirm::WITHIN_MIN,
        Confirm::WITHIN_MAX
    )]
    DeadlineOutOfRange {
        /// What was asked for.
        within: Duration,
    },
    /// None, or more than are asked.
    #[error("{at_least} of {groups} groups can't be enough: at least 1 and at most all")]
    AtLeastOutOfRange {
        /// How many were to be enough.
        at_least: usize,
        /// How many are asked.
        groups: usize,
    },
    /// Too often.
    #[error(
        "a message can't be sent {resends} times again, at most {} are allowed",
        Confirm::RESENDS_MAX
    )]
    TooManyResends {
        /// How often.
        resends: u32,
    },
    /// One header asks, and this one is not there.
    #[error("the message asks to be confirmed, but has no header {name:?}")]
    HeaderMissing {
        /// Its name.
        name: &'static str,
    },
    /// A header that is no number.
    #[error("the header {name:?} is no whole number that it could be")]
    HeaderInvalid {
        /// Its name.
        name: &'static str,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn asking(groups: &[&str]) -> Confirm {
        Confirm::by(groups.iter().copied(), MINUTE).to("orders.confirmed")
    }

    fn written(confirm: &Confirm) -> Headers {
        let mut headers = Headers::new();
        confirm.write_to(&mut headers);
        headers
    }

    #[test]
    fn what_is_asked_for_is_read_back() {
        for confirm in [
            asking(&["a"]),
            asking(&["a", "b:1", "c/d"]).at_least(2),
            asking(&["a", "b"]).resends(0),
            asking(&["a"]).at_least(1).resends(Confirm::RESENDS_MAX),
        ] {
            assert_eq!(Confirm::of(&written(&confirm)), Ok(Some(confirm)));
        }
    }

    #[test]
    fn what_can_not_be_asked_for_is_named() {
        use ConfirmError as E;
        let many: Vec<String> = (0..17).map(|n| n.to_string()).collect();
        let check = |confirm: Confirm| confirm.check().unwrap_err();
        assert_eq!(check(asking(&[])), E::NoGroups);
        let group = |name: &str| E::GroupInvalid { group: name.into() };
        assert_eq!(check(asking(&["a,b"])), group("a,b"));
        assert_eq!(check(asking(&["a", ""])), group(""));
        assert_eq!(check(asking(&[&"g".repeat(256)])), E::GroupTooLong { bytes: 256 });
        assert_eq!(
            check(Confirm::by(many, MINUTE).to("t")),
            E::TooManyGroups { count: 17 }
        );
        assert_eq!(
            check(asking(&["a", "b", "a"])),
            E::GroupTwice { group: "a".into() }
        );
        assert!(matches!(
            check(Confirm::by(["a"], MINUTE).to("no topic")),
            E::Topic(_)
        ));
        for within in [Duration::ZERO, Duration::from_micros(999), Duration::MAX] {
            let error = check(Confirm::by(["a"], within).to("t"));
            assert_eq!(error, E::DeadlineOutOfRange { within });
        }
        for at_least in [0, 3] {
            let error = check(asking(&["a", "b"]).at_least(at_least));
            assert_eq!(error, E::AtLeastOutOfRange { at_least, groups: 2 });
        }
        assert_eq!(
            check(asking(&["a"]).resends(101)),
            E::TooManyResends { resends: 101 }
        );
    }

    #[test]
    fn headers_that_ask_half_are_malformed_and_others_ask_for_nothing() {
        assert_eq!(Confirm::of(&Headers::new()), Ok(None));
        let other: Headers = [("tenant", "eu"), ("confirm-at-least", "2")]
            .into_iter()
            .collect();
        assert_eq!(Confirm::of(&other), Ok(None));
        for (name, value) in [
            ("confirm-to", None),
            ("confirm-by", None),
            ("confirm-within-ms", None),
            ("confirm-to", Some("a b")),
            ("confirm-by", Some("a,,b")),
            ("confirm-within-ms", Some("soon")),
            ("confirm-within-ms", Some("+5")),
            ("confirm-within-ms", Some("0")),
            ("confirm-at-least", Some("3")),
            ("confirm-resends", Some("99999999999")),
            ("confirm-resends", Some("-1")),
        ] {
            let mut headers = written(&asking(&["a", "b"]));
            match value {
                Some(value) => headers.insert(name, value),
                None => headers.remove(name),
            };
            assert!(Confirm::of(&headers).is_err(), "{name}: {value:?}");
        }
    }

    #[test]
    fn some_of_the_groups_may_be_enough() {
        let confirm = asking(&["a", "b", "c"]).at_least(2);
        let of = |groups: &'static [&str]| move |group: &str| groups.contains(&group);
        assert!(!confirm.is_satisfied(of(&["a", "x", "y"])));
        assert!(confirm.is_satisfied(of(&["a", "c"])));
        assert_eq!(confirm.missing(of(&["a", "c"])), ["b"]);
    }

    proptest! {
        #[test]
        fn any_headers_are_answered(values in proptest::collection::vec(".*", 5)) {
            let names = ["confirm-to", "confirm-by", "confirm-within-ms", "confirm-at-least", "confirm-resends"];
            let headers: Headers = names.into_iter().zip(values).collect();
            let _ = Confirm::of(&headers);
        }
    }
}
