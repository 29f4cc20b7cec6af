//! What was said of each setting, by whom: the file, over it the environment, over that the command line.

use std::collections::BTreeMap;

use super::error::ConfigError;
use super::origin::Origin;
use super::setting::{Kind, PREFIX, SETTINGS, Setting};

/// A value before it is understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Text(String),
    Pairs(Vec<(String, String)>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Given {
    pub(super) value: Value,
    pub(super) origin: Origin,
}

/// What was said last of each setting.
#[derive(Debug, Default)]
pub(super) struct Layers {
    given: BTreeMap<&'static str, Given>,
    pub(super) errors: Vec<ConfigError>,
}

impl Layers {
    /// Says something of a setting; what was said before counts no more.
    pub(super) fn give(&mut self, setting: &'static Setting, given: Given) {
        self.given.insert(setting.key, given);
    }

    /// The same in the words of the environment and the command line, where a table has one text for each entry.
    pub(super) fn give_texts(&mut self, setting: &'static Setting, texts: &[String], origin: Origin) {
        if !setting.kind.is_table() {
            if let Some(text) = texts.last() {
                let value = Value::Text(text.clone());
                self.give(setting, Given { value, origin });
            }
            return;
        }
        let mut pairs = Vec::new();
        for text in texts {
            match text.split_once('=') {
                Some((name, value)) => pairs.push((name.trim().to_owned(), value.trim().to_owned())),
                None => self.errors.push(ConfigError {
                    key: setting.key.to_owned(),
                    // A URL in the place of a pair may have a password.
                    value: None,
                    origin: Some(origin.clone()),
                    problem: format!("each entry has the form {}", setting.kind.placeholder()),
                }),
            }
        }
        let value = Value::Pairs(pairs);
        self.give(setting, Given { value, origin });
    }

    /// What the environment says. A variable that is empty says nothing; one that no setting has is an error.
    pub(super) fn environment(&mut self, variables: impl IntoIterator<Item = (String, String)>) {
        let settings: BTreeMap<String, &'static Setting> = SETTINGS
            .iter()
            .map(|setting| (setting.variable(), setting))
            .collect();
        for (name, value) in variables {
            if value.trim().is_empty()
                || !name.starts_with(PREFIX)
                || NOT_OURS.iter().any(|other| name.starts_with(other))
            {
                continue;
            }
            let origin = Origin::Environment(name.clone());
            match settings.get(&name) {
                Some(setting) if setting.kind.is_table() => {
                    let entries: Vec<String> = value
                        .split(['\n', ' '])
                        .map(str::trim)
                        .filter(|entry| !entry.is_empty())
                        .map(str::to_owned)
                        .collect();
                    self.give_texts(setting, &entries, origin);
                }
                Some(setting) => self.give_texts(setting, &[value], origin),
                None => {
                    let nearest = nearest(&name, settings.keys().map(String::as_str));
                    self.errors.push(ConfigError {
                        key: name,
                        value: None,
                        origin: None,
                        problem: format!("there is no such variable; {nearest}"),
                    });
                }
            }
        }
    }

    pub(super) fn take(&mut self, setting: &Setting) -> Option<Given> {
        self.given.remove(setting.key)
    }
}

/// Variables of the tests and of the file's own name.
const NOT_OURS: &[&str] = &["OUTBOX_TEST_", "OUTBOX_CONFIG"];

/// The error for a key that no setting has.
pub(super) fn unknown(key: String, origin: Origin) -> ConfigError {
    let nearest = nearest(&key, SETTINGS.iter().map(|setting| setting.key));
    ConfigError {
        key,
        value: None,
        origin: Some(origin),
        problem: format!("there is no such setting; {nearest}"),
    }
}

/// What was meant, perhaps.
fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> String {
    /// Less alike than this is not what was meant.
    const ALIKE: f64 = 0.7;
    let alike = known.map(|known| (strsim::jaro_winkler(name, known), known));
    match alike.max_by(|a, b| a.0.total_cmp(&b.0)) {
        Some((alike, known)) if alike >= ALIKE => format!("did you mean {known}?"),
        _ => "`outbox-relay --help` lists them all".to_owned(),
    }
}

/// A value as it may be shown.
pub(super) fn shown(kind: Kind, text: &str) -> Option<String> {
    match kind {
        Kind::Secret => None,
        Kind::Url(_) | Kind::Urls(_) => Some(without_password(text)),
        _ => Some(text.to_owned()),
    }
}

/// What stands for a secret.
const STARS: &str = "***";
/// What the names of settings in a URL have in them, if their values are secret.
const SECRET: [&str; 5] = ["password", "secret", "token", "nkey", "seed"];

/// A URL without its secrets. What is no URL may be a password alone.
pub(super) fn without_password(url: &str) -> String {
    let (url, query) = match url.split_once('?') {
        Some((url, query)) => (url, Some(query)),
        None => (url, None),
    };
    let mut shown = match url.split_once("://") {
        None if url.starts_with("sqlite:") => url.to_owned(),
        None => return STARS.to_owned(),
        // Up to the last at sign: a password may hold one that should have been encoded.
        Some((scheme, rest)) => match rest.rsplit_once('@') {
            // Or a question mark.
            None if query.is_some_and(|query| query.contains('@')) => return format!("{scheme}://{STARS}"),
            None => url.to_owned(),
            Some((who, rest)) => match who.split_once(':') {
                Some((user, _)) => format!("{scheme}://{user}:{STARS}@{rest}"),
                // A user alone may be a token.
                None => format!("{scheme}://{STARS}@{rest}"),
            },
        },
    };
    let pairs = query.into_iter().flat_map(|query| query.split('&'));
    for (n, pair) in pairs.enumerate() {
        shown.push(if n == 0 { '?' } else { '&' });
        match pair.split_once('=') {
            Some((name, _))
                if SECRET
                    .iter()
                    .any(|secret| name.to_ascii_lowercase().contains(secret)) =>
            {
                shown.push_str(&format!("{name}={STARS}"));
            }
            _ => shown.push_str(pair),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_shown() {
        for (url, shown) in [
            ("nats://a:4222", "nats://a:4222"),
            ("nats://token@a", "nats://***@a"),
            ("amqp://u:p@ss:w@h/v", "amqp://u:***@h/v"),
            (
                "kafka://a,b?sasl.password=x&queues=3",
                "kafka://a,b?sasl.password=***&queues=3",
            ),
            ("nats://a?nkey=SUAX", "nats://a?nkey=***"),
            ("amqp://u:p?w@h/v", "amqp://***"),
            ("sqlite:shop.db", "sqlite:shop.db"),
            ("secret", "***"),
        ] {
            assert_eq!(without_password(url), shown);
        }
    }
}
