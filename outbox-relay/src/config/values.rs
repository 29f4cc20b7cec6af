//! What the texts mean.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use super::error::ConfigError;
use super::layers::{Given, Layers, Value, shown};
use super::origin::Origin;
use super::routes::Routes;
use super::setting::{Kind, SETTINGS, Setting};

/// Each setting with its value, if it has one, and where that came from.
#[derive(Debug)]
pub(super) struct Values {
    texts: BTreeMap<&'static str, Given>,
    pub(super) errors: Vec<ConfigError>,
}

impl Values {
    /// Of what was said, what can be; what can't be is an error each.
    pub(super) fn of(mut layers: Layers) -> Self {
        let mut values = Self {
            texts: BTreeMap::new(),
            errors: std::mem::take(&mut layers.errors),
        };
        for setting in SETTINGS {
            let known = match (layers.take(setting), setting.default) {
                (Some(given), _) => given,
                (None, Some(default)) => Given {
                    value: Value::Text(default.to_owned()),
                    origin: Origin::Default,
                },
                (None, None) => continue,
            };
            match check(setting, &known) {
                Ok(()) => {
                    values.texts.insert(setting.key, known);
                }
                Err(errors) => values.errors.extend(errors),
            }
        }
        values
    }

    pub(super) fn known(&self, setting: &Setting) -> Option<&Given> {
        self.texts.get(setting.key)
    }

    /// What is wrong with the value of this setting beside others.
    pub(super) fn wrong(&self, key: &'static str, problem: impl Into<String>) -> ConfigError {
        let known = self.texts.get(key);
        ConfigError {
            key: key.to_owned(),
            value: self.text(key).and_then(|text| {
                let kind = Setting::of(key).map_or(Kind::Text, |setting| setting.kind);
                shown(kind, text)
            }),
            origin: known.map(|known| known.origin.clone()),
            problem: problem.into(),
        }
    }

    pub(super) fn text(&self, key: &str) -> Option<&str> {
        match &self.texts.get(key)?.value {
            Value::Text(text) => Some(text),
            Value::Pairs(_) => None,
        }
    }

    pub(super) fn pairs(&self, key: &str) -> &[(String, String)] {
        match self.texts.get(key).map(|known| &known.value) {
            Some(Value::Pairs(pairs)) => pairs,
            _ => &[],
        }
    }

    // What was checked can be read; a key that no setting has would be a mistake of ours, and is what nobody set.

    pub(super) fn time(&self, key: &str) -> Duration {
        self.text(key).and_then(time).unwrap_or_default()
    }

    pub(super) fn number(&self, key: &str) -> u64 {
        self.text(key)
            .and_then(|text| text.parse().ok())
            .unwrap_or_default()
    }

    pub(super) fn switch(&self, key: &str) -> bool {
        self.text(key) == Some("true")
    }
}

fn check(setting: &Setting, known: &Given) -> Result<(), Vec<ConfigError>> {
    let wrong = |value: Option<String>, problem: String| ConfigError {
        key: setting.key.to_owned(),
        value,
        origin: Some(known.origin.clone()),
        problem,
    };
    match &known.value {
        Value::Text(text) => {
            can_be(setting.kind, text).map_err(|problem| vec![wrong(shown(setting.kind, text), problem)])
        }
        Value::Pairs(pairs) => {
            let mut errors = Vec::new();
            let mut seen = std::collections::BTreeSet::new();
            for (name, value) in pairs {
                let of_entry = |problem: String| ConfigError {
                    key: format!("{}.{name}", setting.key),
                    ..wrong(shown(setting.kind, value), problem)
                };
                if !seen.insert(name) {
                    errors.push(of_entry("it is there twice: one of them has to go".to_owned()));
                }
                let checked = match setting.kind {
                    Kind::Urls(schemes) => is_name(name).and_then(|()| can_be(Kind::Url(schemes), value)),
                    Kind::Routes => Routes::check_pattern(name).and_then(|()| is_name(value)),
                    _ => Ok(()),
                };
                errors.extend(checked.err().map(of_entry));
            }
            match errors.is_empty() {
                true => Ok(()),
                false => Err(errors),
            }
        }
    }
}

/// Names of brokers, which are labels of metrics too.
fn is_name(name: &str) -> Result<(), String> {
    const MAX: usize = 40;
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    match !name.is_empty() && name.len() <= MAX && name.chars().all(plain) {
        true => Ok(()),
        false => Err(format!(
            "a broker's name is 1 to {MAX} small letters, digits, hyphens and underscores, not {name:?}"
        )),
    }
}

fn can_be(kind: Kind, text: &str) -> Result<(), String> {
    let told = |is: bool, problem: String| match is {
        true => Ok(()),
        false => Err(problem),
    };
    match kind {
        Kind::Text | Kind::Secret => told(
            !text.trim().is_empty(),
            "it is empty: leave it out, or say something".into(),
        ),
        Kind::Url(schemes) => told(
            schemes
                .iter()
                .any(|scheme| text.starts_with(scheme) && text.len() > scheme.len()),
            format!(
                "it is no URL of a kind that is known: those begin with {}",
                schemes.join(", ")
            ),
        ),
        Kind::Time(from, to) => match time(text) {
            None => Err("it is no time: write a number and its unit, as in `15s` or `200ms`".into()),
            Some(time) => told(
                (from..=to).contains(&time),
                format!("it has to be from {from:?} to {to:?}"),
            ),
        },
        Kind::Number(from, to) => told(
            text.parse()
                .is_ok_and(|number: u64| (from..=to).contains(&number)),
            format!("it has to be a whole number from {from} to {to}"),
        ),
        Kind::Switch => told(
            matches!(text, "true" | "false"),
            "it has to be `true` or `false`".into(),
        ),
        Kind::Word(words) => told(
            words.contains(&text),
            format!("it has to be one of {}", words.join(", ")),
        ),
        Kind::Address => told(
            text.parse::<SocketAddr>().is_ok(),
            "it has to be an address and a port, as in `127.0.0.1:9090`".into(),
        ),
        Kind::Urls(_) | Kind::Routes => Err("it is a table".into()),
    }
}

fn time(text: &str) -> Option<Duration> {
    let time = text.parse::<jiff::SignedDuration>().ok()?;
    Duration::try_from(time).ok()
}
