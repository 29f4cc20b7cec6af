//! The file: TOML, in which each setting stands under its key.

use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::ConfigError;
use super::layers::{Given, Layers, Value, unknown};
use super::origin::Origin;
use super::setting::Setting;

/// Reads a file into the layers.
pub(super) fn read(path: &Path, text: &str, layers: &mut Layers) {
    let file = File { path, text };
    let table = match DeTable::parse(text) {
        Ok(table) => table.into_inner(),
        Err(error) => {
            let start = error.span().map_or(0, |span| span.start);
            layers.errors.push(ConfigError {
                key: "the file".to_owned(),
                value: None,
                origin: Some(file.origin(start)),
                problem: format!("it is not TOML: {}", error.message()),
            });
            return;
        }
    };
    for (name, value) in &table {
        file.entry(name.get_ref(), name.span().start, value, layers);
    }
}

struct File<'a> {
    path: &'a Path,
    text: &'a str,
}

impl File<'_> {
    fn origin(&self, at: usize) -> Origin {
        let before = self.text.get(..at).unwrap_or(self.text);
        Origin::File(self.path.to_owned(), before.matches('\n').count() + 1)
    }

    /// An entry of the file's first level: a setting, or a table of settings.
    fn entry(&self, name: &str, at: usize, value: &Spanned<DeValue<'_>>, layers: &mut Layers) {
        if let Some(setting) = Setting::of(name) {
            self.setting(setting, at, value, layers);
            return;
        }
        let prefix = format!("{name}.");
        let is_section = super::SETTINGS
            .iter()
            .any(|setting| setting.key.starts_with(&prefix));
        match value.get_ref() {
            DeValue::Table(table) if is_section => {
                for (inner, value) in table {
                    let key = format!("{name}.{}", inner.get_ref());
                    match Setting::of(&key) {
                        Some(setting) => self.setting(setting, inner.span().start, value, layers),
                        None => layers.errors.push(unknown(key, self.origin(inner.span().start))),
                    }
                }
            }
            _ if is_section => layers.errors.push(ConfigError {
                key: name.to_owned(),
                value: None,
                origin: Some(self.origin(at)),
                problem: format!("it is a table: write [{name}] on a line, and its settings below"),
            }),
            _ => layers.errors.push(unknown(name.to_owned(), self.origin(at))),
        }
    }

    fn setting(
        &self,
        setting: &'static Setting,
        at: usize,
        value: &Spanned<DeValue<'_>>,
        layers: &mut Layers,
    ) {
        let origin = self.origin(at);
        let wrong = |problem: String| ConfigError {
            key: setting.key.to_owned(),
            value: None,
            origin: Some(origin.clone()),
            problem,
        };
        let read = match value.get_ref() {
            DeValue::Table(table) if setting.kind.is_table() => {
                let mut pairs = Vec::new();
                for (name, value) in table {
                    match text(value.get_ref()) {
                        Some(value) => pairs.push((name.get_ref().to_string(), value)),
                        None => {
                            let problem = format!("the value of {:?} is a text in quotes", name.get_ref());
                            layers.errors.push(wrong(problem));
                        }
                    }
                }
                Value::Pairs(pairs)
            }
            _ if setting.kind.is_table() => {
                let key = setting.key;
                layers.errors.push(wrong(format!(
                    "it is a table: write [{key}] on a line, and its entries below"
                )));
                return;
            }
            other => match text(other) {
                Some(text) => Value::Text(text),
                None => {
                    layers
                        .errors
                        .push(wrong("it is a text, a number, `true` or `false`".to_owned()));
                    return;
                }
            },
        };
        layers.give(setting, Given { value: read, origin });
    }
}

/// A value as it would be written elsewhere.
fn text(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) => Some(number.to_string()),
        DeValue::Boolean(yes) => Some(yes.to_string()),
        _ => None,
    }
}
