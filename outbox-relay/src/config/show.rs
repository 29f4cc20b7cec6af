use std::fmt;

use super::layers::{Value, shown};
use super::setting::SETTINGS;
use super::values::Values;

/// A configuration as a file, each value with where it came from and without secrets.
#[derive(Debug, Clone)]
pub struct Shown(String);

impl Shown {
    pub(super) fn of(values: &Values) -> Self {
        let mut text = String::new();
        let mut section = "";
        let (plain, tables): (Vec<_>, Vec<_>) = SETTINGS.iter().partition(|setting| !setting.kind.is_table());
        for setting in plain {
            let Some(known) = values.known(setting) else {
                continue;
            };
            let Value::Text(value) = &known.value else {
                continue;
            };
            let (of, name) = setting.key.split_once('.').unwrap_or(("", setting.key));
            if of != section {
                text.push_str(&format!("{}[{of}]\n", if text.is_empty() { "" } else { "\n" }));
                section = of;
            }
            let value = shown(setting.kind, value).map_or("\"***\"".to_owned(), |value| written(&value));
            text.push_str(&format!("{name} = {value} # {}\n", known.origin));
        }
        for setting in tables {
            let Some(known) = values.known(setting) else {
                continue;
            };
            let Value::Pairs(pairs) = &known.value else {
                continue;
            };
            text.push_str(&format!("\n[{}] # {}\n", setting.key, known.origin));
            for (name, value) in pairs {
                let value = shown(setting.kind, value).unwrap_or_else(|| "***".to_owned());
                text.push_str(&format!("{} = {}\n", quoted(name), quoted(&value)));
            }
        }
        Self(text)
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A value as TOML has it.
fn written(value: &str) -> String {
    match value.parse::<i64>().is_ok() || matches!(value, "true" | "false") {
        true => value.to_owned(),
        false => quoted(value),
    }
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}
