//! Which topics go to which broker. Pure.

use std::collections::BTreeMap;

use outbox_core::Limits;

/// Routes by topic: of several that fit, the longest counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Routes {
    topics: BTreeMap<String, String>,
    /// By what topics begin with.
    prefixes: BTreeMap<String, String>,
}

impl Routes {
    /// Of patterns and names of brokers, checked before.
    pub(super) fn of<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut routes = Self::default();
        for (pattern, broker) in pairs {
            match pattern.strip_suffix('*') {
                Some(prefix) => routes.prefixes.insert(prefix.to_owned(), broker.to_owned()),
                None => routes.topics.insert(pattern.to_owned(), broker.to_owned()),
            };
        }
        routes
    }

    /// All topics to one.
    pub(super) fn all_to(broker: &str) -> Self {
        Self::of([("*", broker)])
    }

    /// The broker of a topic, if there is one.
    pub fn broker(&self, topic: &str) -> Option<&str> {
        if let Some(broker) = self.topics.get(topic) {
            return Some(broker);
        }
        let fitting = self
            .prefixes
            .iter()
            .filter(|(prefix, _)| topic.starts_with(*prefix));
        let longest = fitting.max_by_key(|(prefix, _)| prefix.len());
        longest.map(|(_, broker)| broker.as_str())
    }

    /// The brokers that something goes to.
    pub fn brokers(&self) -> impl Iterator<Item = &str> {
        self.topics
            .values()
            .chain(self.prefixes.values())
            .map(String::as_str)
    }

    /// That a pattern can be one.
    pub(super) fn check_pattern(pattern: &str) -> Result<(), String> {
        let problem = || {
            "a route is a topic, the beginning of topics with a star at its end (`orders.*`), or `*`"
                .to_owned()
        };
        match pattern.strip_suffix('*') {
            Some("") => Ok(()),
            Some(prefix) => match prefix.strip_suffix('.') {
                Some(words) => Limits::check_topic(words).map_err(|_| problem()),
                None => Err(problem()),
            },
            None => Limits::check_topic(pattern).map_err(|_| problem()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_that_fits_counts() {
        let routes = Routes::of([
            ("orders.*", "events"),
            ("orders.paid.*", "books"),
            ("orders.paid.twice", "alarm"),
            ("*", "rest"),
        ]);
        for (topic, broker) in [
            ("orders.placed", "events"),
            ("orders.paid.once", "books"),
            ("orders.paid.twice", "alarm"),
            ("orders.paid", "events"),
            ("orders", "rest"),
            ("ordersx.y", "rest"),
        ] {
            assert_eq!(routes.broker(topic), Some(broker), "{topic}");
        }
        assert_eq!(Routes::of([("a", "b")]).broker("c"), None);
    }

    #[test]
    fn a_pattern_that_can_not_be_is_told() {
        for good in ["a", "a.b", "a.*", "a.b.*", "*"] {
            assert_eq!(Routes::check_pattern(good), Ok(()), "{good}");
        }
        for bad in ["", "a*", "*.a", ".*", "a b", "**"] {
            assert!(Routes::check_pattern(bad).is_err(), "{bad}");
        }
    }
}
