//! What a scenario found, for people and for programs.

use std::fmt;

use serde_json::{Map, Value, json};

use crate::stats::{Interval, Spread};

/// The result of a scenario.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) scenario: &'static str,
    pub(crate) database: String,
    /// Of `floor` and `ours`.
    pub(crate) unit: &'static str,
    /// What was measured, in a sentence or two.
    pub(crate) measured: String,
    /// None where the contract names none, or this database can't have it.
    pub(crate) floor: Option<f64>,
    pub(crate) ours: f64,
    /// Of ours by the floor.
    pub(crate) ratio: Option<f64>,
    pub(crate) rounds: usize,
    /// Everything that the result depends on.
    pub(crate) settings: Map<String, Value>,
    /// Everything else that was found.
    pub(crate) details: Map<String, Value>,
    pub(crate) table: Table,
    /// Sentences below the table.
    pub(crate) notes: Vec<String>,
}

impl Report {
    /// One object; the keys named by the contract first.
    pub(crate) fn to_json(&self) -> Value {
        let mut object = Map::new();
        object.insert("scenario".into(), self.scenario.into());
        object.insert("database".into(), self.database.clone().into());
        object.insert("unit".into(), self.unit.into());
        object.insert("floor".into(), self.floor.map_or(Value::Null, number));
        object.insert("ours".into(), number(self.ours));
        object.insert("ratio".into(), self.ratio.map_or(Value::Null, number));
        object.insert("rounds".into(), self.rounds.into());
        object.insert("settings".into(), Value::Object(self.settings.clone()));
        for (name, value) in &self.details {
            object.insert(name.clone(), value.clone());
        }
        Value::Object(object)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n{} on {}", self.scenario, self.database)?;
        writeln!(f, "{}\n", self.measured)?;
        write!(f, "{}", self.table)?;
        for note in &self.notes {
            writeln!(f, "\n{note}")?;
        }
        let settings: Vec<_> = self
            .settings
            .iter()
            .map(|(name, value)| match value {
                Value::String(text) => format!("{name}={text}"),
                other => format!("{name}={other}"),
            })
            .collect();
        writeln!(f, "\nsettings: {}", settings.join(", "))
    }
}

/// Four significant digits: more are noise, and JSON has no NaN.
pub(crate) fn number(value: f64) -> Value {
    if !value.is_finite() {
        return Value::Null;
    }
    let digits = if value == 0.0 {
        0
    } else {
        (3 - value.abs().log10().floor() as i32).max(0)
    };
    let factor = 10_f64.powi(digits);
    json!((value * factor).round() / factor)
}

impl From<Spread> for Value {
    fn from(spread: Spread) -> Self {
        json!({ "median": number(spread.median), "low": number(spread.low), "high": number(spread.high) })
    }
}

impl From<Interval> for Value {
    fn from(interval: Interval) -> Self {
        json!({
            "median": number(interval.median),
            "low": number(interval.low),
            "high": number(interval.high),
            "confidence": number(interval.confidence),
        })
    }
}

/// For people: thousands are told apart, and small numbers keep their decimals.
pub(crate) fn pretty(value: f64) -> String {
    if !value.is_finite() {
        return "–".to_owned();
    }
    let decimals = match value.abs() {
        v if v >= 100.0 => 0,
        v if v >= 10.0 => 1,
        v if v >= 1.0 => 2,
        _ => 3,
    };
    let text = format!("{value:.decimals$}");
    let (whole, rest) = text
        .split_once('.')
        .map_or((text.as_str(), None), |(w, r)| (w, Some(r)));
    let (sign, whole) = whole.strip_prefix('-').map_or(("", whole), |whole| ("-", whole));
    let mut grouped = String::new();
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    let rest = rest.map(|rest| format!(".{rest}")).unwrap_or_default();
    format!("{sign}{grouped}{rest}")
}

/// `low – high`.
pub(crate) fn pretty_range(low: f64, high: f64) -> String {
    format!("{} – {}", pretty(low), pretty(high))
}

/// Columns of text; the first is left-aligned, the others right-aligned.
#[derive(Debug)]
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new<S: Into<String>>(header: impl IntoIterator<Item = S>) -> Self {
        let mut table = Self { rows: Vec::new() };
        table.row(header);
        table
    }

    pub(crate) fn row<S: Into<String>>(&mut self, cells: impl IntoIterator<Item = S>) {
        self.rows.push(cells.into_iter().map(Into::into).collect());
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let widths: Vec<usize> = (0..columns)
            .map(|column| {
                let cells = self.rows.iter().filter_map(|row| row.get(column));
                cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
            })
            .collect();
        for (at, row) in self.rows.iter().enumerate() {
            let mut line = String::from(" ");
            for (column, width) in widths.iter().enumerate() {
                let cell = row.get(column).map_or("", String::as_str);
                let pad = " ".repeat(width - cell.chars().count());
                line.push_str(&if column == 0 {
                    format!(" {cell}{pad}")
                } else {
                    format!("   {pad}{cell}")
                });
            }
            writeln!(f, "{}", line.trim_end())?;
            if at == 0 {
                let rule: Vec<_> = widths.iter().map(|&width| "─".repeat(width)).collect();
                writeln!(f, "  {}", rule.join("───"))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_for_reading() {
        assert_eq!(pretty(1_234_567.8), "1,234,568");
        assert_eq!(pretty(12.345), "12.3");
        assert_eq!(pretty(0.97312), "0.973");
        assert_eq!(pretty(-1500.0), "-1,500");
        assert_eq!(pretty(f64::NAN), "–");
        assert_eq!(number(0.973_12), json!(0.9731));
        assert_eq!(number(123_456.7), json!(123457.0));
        assert_eq!(number(f64::NAN), Value::Null);
        assert_eq!(number(0.0), json!(0.0));
    }

    #[test]
    fn columns_line_up() {
        let mut table = Table::new(["what", "rate"]);
        table.row(["floor", "1,000"]);
        table.row(["–", "5"]);
        assert_eq!(
            table.to_string(),
            "  what     rate\n  ─────────────\n  floor   1,000\n  –           5\n"
        );
    }
}
