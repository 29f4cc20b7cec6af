//! The settings there are. Each can be written in the file, in the environment and on the command line, under names that follow from
//! its key, so that none is forgotten in one of them.

use std::time::Duration;

/// One setting.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Setting {
    /// Its name in the file: `relay.lease` is `lease` in the table `[relay]`.
    pub key: &'static str,
    /// What its value can be.
    pub kind: Kind,
    /// What holds when nobody says anything; `None`: then it is not set.
    pub default: Option<&'static str>,
    /// What it is for, in one sentence.
    pub help: &'static str,
}

/// What a value can be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// Any text that is not empty.
    Text,
    /// A text that is never shown.
    Secret,
    /// A URL that begins with one of these; its password is never shown.
    Url(&'static [&'static str]),
    /// A time, as in `15s`, from the first to the second.
    Time(Duration, Duration),
    /// A whole number, from the first to the second.
    Number(u64, u64),
    /// `true` or `false`.
    Switch,
    /// One of these words.
    Word(&'static [&'static str]),
    /// An address and a port, as in `127.0.0.1:9090`.
    Address,
    /// Names, each with a URL: a table in the file, `name=url` elsewhere.
    Urls(&'static [&'static str]),
    /// Patterns of topics, each with a name: a table in the file, `pattern=name` elsewhere.
    Routes,
}

impl Kind {
    /// Whether it is a table in the file, and can be given several times on the command line.
    pub fn is_table(self) -> bool {
        matches!(self, Self::Urls(_) | Self::Routes)
    }

    /// What stands for a value in help texts.
    pub(crate) fn placeholder(self) -> &'static str {
        match self {
            Self::Text | Self::Word(_) => "TEXT",
            Self::Secret => "SECRET",
            Self::Url(_) => "URL",
            Self::Time(..) => "TIME",
            Self::Number(..) => "NUMBER",
            Self::Switch => "BOOL",
            Self::Address => "ADDRESS",
            Self::Urls(_) => "NAME=URL",
            Self::Routes => "TOPIC=BROKER",
        }
    }
}

impl Setting {
    /// `OUTBOX_RELAY_LEASE` of `relay.lease`, `OUTBOX_DATABASE_URL` of `database.url`.
    pub fn variable(&self) -> String {
        format!("{PREFIX}{}", self.key.replace('.', "_").to_uppercase())
    }

    /// `--relay-lease` of `relay.lease`, without its hyphens.
    pub fn flag(&self) -> String {
        self.key.replace(['.', '_'], "-")
    }

    /// The setting of this key.
    pub fn of(key: &str) -> Option<&'static Self> {
        SETTINGS.iter().find(|setting| setting.key == key)
    }
}

/// What the names of all variables begin with.
pub const PREFIX: &str = "OUTBOX_";

const DATABASES: &[&str] = &[
    "postgres://",
    "postgresql://",
    "mysql://",
    "mariadb://",
    "sqlite:",
];
const BROKERS: &[&str] = &[
    "nats://",
    "tls://",
    "amqp://",
    "amqps://",
    "kafka://",
    "redis://",
    "rediss://",
    "rocketmq://",
];
const MILLISECOND: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3_600);
const ROWS_MAX: u64 = 100_000;

const fn setting(
    key: &'static str,
    kind: Kind,
    default: Option<&'static str>,
    help: &'static str,
) -> Setting {
    Setting {
        key,
        kind,
        default,
        help,
    }
}

/// All of them, in the order in which they are shown.
pub const SETTINGS: &[Setting] = &[
    setting(
        "database.url",
        Kind::Url(DATABASES),
        None,
        "The database with the outbox",
    ),
    setting(
        "brokers",
        Kind::Urls(BROKERS),
        None,
        "The brokers that messages are delivered to, each under a name of its own",
    ),
    setting(
        "routes",
        Kind::Routes,
        None,
        "Which topics go to which broker: a topic, the beginning of topics with a star (`orders.*`), or `*` for all others. Of \
         several that fit, the longest counts. With one broker and no route, all go there",
    ),
    setting(
        "relay.name",
        Kind::Text,
        None,
        "The relay's name, unique among all that share the outbox; by itself host, process and a random part",
    ),
    setting(
        "relay.lease",
        Kind::Time(SECOND, HOUR),
        Some("15s"),
        "How long a lease on a shard lasts: so long nobody has a dead relay's shards",
    ),
    setting(
        "relay.publish_timeout",
        Kind::Time(MILLISECOND, HOUR),
        Some("10s"),
        "A publish that takes longer counts as unanswered; shorter than relay.lease",
    ),
    setting(
        "relay.drain_timeout",
        Kind::Time(Duration::ZERO, HOUR),
        Some("20s"),
        "How long a stop waits for what is under way",
    ),
    setting(
        "relay.poll_busy",
        Kind::Time(MILLISECOND, SECOND),
        Some("3ms"),
        "The pause between polls while messages keep coming",
    ),
    setting(
        "relay.poll_idle",
        Kind::Time(MILLISECOND, HOUR),
        Some("200ms"),
        "The pause between polls after a silence",
    ),
    setting(
        "relay.page_rows",
        Kind::Number(1, ROWS_MAX),
        Some("1000"),
        "Most rows that are read at a time",
    ),
    setting(
        "relay.window_rows",
        Kind::Number(1, 10_000_000),
        Some("8192"),
        "Most rows that are read and not yet deleted",
    ),
    setting(
        "relay.archive",
        Kind::Switch,
        Some("false"),
        "Whether delivered messages are kept in the archive",
    ),
    setting(
        "log.filter",
        Kind::Text,
        Some("info"),
        "What is logged, in the words of tracing's filters",
    ),
    setting(
        "log.format",
        Kind::Word(&["text", "json"]),
        Some("text"),
        "How it is logged",
    ),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_told_apart_everywhere() {
        let names = |name: fn(&Setting) -> String| SETTINGS.iter().map(name).collect::<BTreeSet<_>>().len();
        assert_eq!(names(|setting| setting.key.to_owned()), SETTINGS.len());
        assert_eq!(names(Setting::variable), SETTINGS.len());
        assert_eq!(names(Setting::flag), SETTINGS.len());
        for setting in SETTINGS {
            assert!(setting.key.split('.').count() <= 2, "{}", setting.key);
        }
        let lease = Setting::of("relay.publish_timeout").unwrap();
        assert_eq!(lease.variable(), "OUTBOX_RELAY_PUBLISH_TIMEOUT");
        assert_eq!(lease.flag(), "relay-publish-timeout");
    }
}
