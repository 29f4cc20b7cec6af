//! What failed, for the closing lines: between a failure and the end of a long run stand thousands of others.

use std::fmt;

/// Lines of a panic's message that are repeated.
const LINES: usize = 8;

/// A test that failed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    test: String,
    /// Where it panicked and with which words, as often as it did: threads of its own may have, too.
    panics: Vec<String>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "  {}", self.test)?;
        for panic in &self.panics {
            for line in panic.trim_end().lines() {
                write!(f, "\n      {line}")?;
            }
        }
        Ok(())
    }
}

/// Finds failures in what a test program prints at its end.
#[derive(Debug, Default)]
pub(crate) struct Failures {
    pub(crate) found: Vec<Failure>,
    at: Place,
}

/// Where in the output a line is.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Place {
    #[default]
    Elsewhere,
    /// In what a failed test printed.
    Output,
    /// In the message of its panic, so many lines on.
    Message(usize),
}

impl Failures {
    pub(crate) fn note(&mut self, line: &str) {
        if let Some(test) = headline(line) {
            self.at = Place::Output;
            let (test, panics) = (test.to_owned(), Vec::new());
            self.found.push(Failure { test, panics });
        } else if line == "failures:" {
            self.at = Place::Elsewhere;
        } else if self.at != Place::Elsewhere
            && let Some(failure) = self.found.last_mut()
        {
            self.at = failure.note(line, self.at);
        }
    }
}

impl Failure {
    fn note(&mut self, line: &str, at: Place) -> Place {
        if let Some(place) = panicked_at(line) {
            self.panics.push(place.to_owned());
            return Place::Message(0);
        }
        if let Place::Message(lines) = at
            && lines < LINES
            && !line.starts_with("stack backtrace:")
            && !line.starts_with("note: ")
            && let Some(panic) = self.panics.last_mut()
        {
            panic.push('\n');
            panic.push_str(line);
            return Place::Message(lines + 1);
        }
        Place::Output
    }
}

/// The test of `---- name stdout ----`.
fn headline(line: &str) -> Option<&str> {
    line.strip_prefix("---- ")?.strip_suffix(" stdout ----")
}

/// The place of `thread 'name' (17) panicked at file:line:column:`.
fn panicked_at(line: &str) -> Option<&str> {
    let (_, place) = line.strip_prefix("thread '")?.rsplit_once(" panicked at ")?;
    Some(place.trim_end_matches(':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_told_by_its_panics() {
        let mut failures = Failures::default();
        for line in [
            "test a ... FAILED",
            "",
            "failures:",
            "",
            "---- a::b stdout ----",
            "a log",
            "",
            "thread 'a::b' (17) panicked at tests/a.rs:3:9:",
            "assertion `left == right` failed",
            "  left: 1",
            " right: 2",
            "stack backtrace:",
            "   0: core::panicking",
            "note: Some details are omitted",
            "",
            "---- a::c stdout ----",
            "thread '<unnamed>' (18) panicked at tests/b.rs:4:1:",
            "first",
            "note: run with `RUST_BACKTRACE=1`",
            "thread 'a::c' (19) panicked at tests/b.rs:5:1:",
            "second",
            "",
            "failures:",
            "    a::b",
            "thread 'x' panicked at another.rs:1:1:",
        ] {
            failures.note(line);
        }
        let shown: Vec<String> = failures.found.iter().map(ToString::to_string).collect();
        assert_eq!(
            shown,
            [
                "  a::b\n      tests/a.rs:3:9\n      assertion `left == right` failed\n        left: 1\n       right: 2",
                "  a::c\n      tests/b.rs:4:1\n      first\n      tests/b.rs:5:1\n      second",
            ]
        );
    }
}
