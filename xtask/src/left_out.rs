//! What was left out of a test run, why, and whether that is allowed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context, Result};

/// How many tests are named for each thing that is missing.
const TESTS_NAMED: usize = 5;

/// The name under which tests marked `#[ignore]` are listed.
pub(crate) const IGNORED: &str = "ignored";

/// In place of a test's name where no test was started, because a version of a server can't be had.
pub(crate) const EVERY_TEST: &str = "every test of this version";

/// What tests wrote down, by what they lacked.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct LeftOut {
    // (name, reason) → tests
    entries: BTreeMap<(String, String), BTreeSet<String>>,
}

impl LeftOut {
    /// Reads the list that tests append to (`outbox_test_harness::requirement::append_left_out`).
    pub(crate) fn read(path: &Path) -> Result<Self> {
        match fs::read_to_string(path) {
            Ok(text) => Self::parse(&text).with_context(|| format!("{} is damaged", path.display())),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error).with_context(|| format!("can't read {}", path.display())),
        }
    }

    fn parse(text: &str) -> Result<Self> {
        let mut left_out = Self::default();
        for line in text.lines() {
            let mut fields = line.split('\t');
            let (Some(name), Some(test), Some(reason), None) =
                (fields.next(), fields.next(), fields.next(), fields.next())
            else {
                anyhow::bail!("expected name, test and reason, found {line:?}");
            };
            left_out.add(name, test, reason);
        }
        Ok(left_out)
    }

    /// Adds one test.
    pub(crate) fn add(&mut self, name: &str, test: &str, reason: &str) {
        self.entries
            .entry((name.to_owned(), reason.to_owned()))
            .or_default()
            .insert(test.to_owned());
    }

    /// Adds what another run left out.
    pub(crate) fn join(&mut self, more: Self) {
        for (missing, tests) in more.entries {
            self.entries.entry(missing).or_default().extend(tests);
        }
    }

    /// How many tests, of those that count as passed, did not do their work; for the closing line.
    pub(crate) fn among_passed(&self) -> String {
        let own = self.entries.iter().filter(|((name, _), _)| name != IGNORED);
        let tests: BTreeSet<&String> = own
            .flat_map(|(_, tests)| tests)
            .filter(|test| *test != EVERY_TEST)
            .collect();
        if tests.is_empty() {
            String::new()
        } else {
            format!(" ({} of them left out)", tests.len())
        }
    }

    /// The names that the list of allowed ones doesn't have.
    pub(crate) fn not_in(&self, allowed: &BTreeMap<String, String>) -> BTreeSet<&str> {
        self.entries
            .keys()
            .map(|(name, _)| name.as_str())
            .filter(|name| !allowed.contains_key(*name))
            .collect()
    }
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.entries.is_empty() {
            return write!(f, "Left out: nothing");
        }
        write!(f, "Left out:")?;
        for ((name, reason), tests) in &self.entries {
            let named: Vec<&str> = tests.iter().take(TESTS_NAMED).map(String::as_str).collect();
            let more = tests.len() - named.len();
            let and_more = if more > 0 {
                format!(" and {more} more")
            } else {
                String::new()
            };
            write!(
                f,
                "\n  {name}: {reason}\n    tests: {}{and_more}",
                named.join(", ")
            )?;
        }
        Ok(())
    }
}

/// Reads `tests/allowed-left-out.toml`: name → reason. An entry without a reason is an error.
pub(crate) fn allowed(path: &Path) -> Result<BTreeMap<String, String>> {
    let text = fs::read_to_string(path).with_context(|| format!("can't read {}", path.display()))?;
    parse_allowed(&text).with_context(|| format!("{} can't be used", path.display()))
}

fn parse_allowed(text: &str) -> Result<BTreeMap<String, String>> {
    let table: toml::Table = text.parse()?;
    let entries = match table.get("allowed") {
        None => &Vec::new(),
        Some(value) => value
            .as_array()
            .context("`allowed` must be written as [[allowed]]")?,
    };
    entries
        .iter()
        .map(|entry| {
            let field = |key: &str| {
                let value = entry.get(key).and_then(toml::Value::as_str).map(str::trim);
                let value = value.filter(|value| !value.is_empty());
                value
                    .map(str::to_owned)
                    .with_context(|| format!("an entry lacks `{key}`: {entry:?}"))
            };
            Ok((field("name")?, field("reason")?))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_tests_wrote_is_grouped_by_what_they_lacked() {
        let left_out =
            LeftOut::parse("postgres\tb\tnone here\npostgres\ta\tnone here\npsql\tc\tgone\n").unwrap();
        assert_eq!(
            left_out.to_string(),
            "Left out:\n  postgres: none here\n    tests: a, b\n  psql: gone\n    tests: c"
        );
        assert_eq!(left_out.among_passed(), " (3 of them left out)");
        assert_eq!(LeftOut::default().to_string(), "Left out: nothing");
        assert_eq!(LeftOut::default().among_passed(), "");
        assert!(LeftOut::parse("half a line").is_err());
    }

    #[test]
    fn a_version_that_can_not_be_had_is_listed_and_is_no_test_that_passed() {
        let mut left_out = LeftOut::default();
        let mut version = LeftOut::default();
        version.add("postgres:14", EVERY_TEST, "no engine");
        left_out.join(version);
        assert_eq!(left_out.among_passed(), "");
        assert_eq!(
            left_out.to_string(),
            "Left out:\n  postgres:14: no engine\n    tests: every test of this version"
        );
    }

    #[test]
    fn only_what_is_allowed_with_a_reason_may_be_left_out() {
        let allowed = parse_allowed("[[allowed]]\nname = \"psql\"\nreason = \"because\"\n").unwrap();
        let left_out = LeftOut::parse("postgres\ta\tr\npsql\tb\tr\n").unwrap();
        assert_eq!(left_out.not_in(&allowed), BTreeSet::from(["postgres"]));
        assert!(parse_allowed("").unwrap().is_empty());
        assert!(parse_allowed("[[allowed]]\nname = \"psql\"\nreason = \" \"\n").is_err());
    }

    #[test]
    fn the_harness_writes_what_is_read_here() {
        let scratch = outbox_test_harness::Scratch::new().unwrap();
        let list = scratch.path().join("list");
        assert_eq!(LeftOut::read(&list).unwrap(), LeftOut::default());
        outbox_test_harness::requirement::append_left_out(&list, "postgres", "a::b", "two\nlines\tand tab")
            .unwrap();
        let mut expected = LeftOut::default();
        expected.add("postgres", "a::b", "two lines and tab");
        assert_eq!(LeftOut::read(&list).unwrap(), expected);
    }
}
