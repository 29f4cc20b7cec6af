//! Runs `cargo test`, passes its output on, and reads from it how many tests ran and which failed.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, ExitStatus, Stdio};

use anyhow::{Context, Result};

use crate::failure::Failures;

/// What the output said, over all test programs.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) failures: Failures,
    /// Tests marked `#[ignore]`, each with its reason: those were left out too.
    pub(crate) ignored: Vec<(String, String)>,
}

/// Runs the command to its end.
pub(crate) fn run(mut command: Command) -> Result<(ExitStatus, Counts)> {
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .context("can't run cargo")?;
    let mut counts = Counts::default();
    if let Some(stdout) = child.stdout.take() {
        let mut stdout = BufReader::new(stdout);
        let mut line = Vec::new();
        // Bytes and not `lines()`: a test may print what is no UTF-8.
        while stdout.read_until(b'\n', &mut line)? > 0 {
            std::io::stdout().write_all(&line)?;
            counts.note(String::from_utf8_lossy(&line).trim_end());
            line.clear();
        }
    }
    Ok((child.wait()?, counts))
}

impl Counts {
    /// Adds those of another run.
    pub(crate) fn add(&mut self, more: Self) {
        self.passed += more.passed;
        self.failed += more.failed;
        self.failures.found.extend(more.failures.found);
        self.ignored.extend(more.ignored);
    }

    fn note(&mut self, line: &str) {
        self.failures.note(line);
        if let Some(result) = line.strip_prefix("test result: ") {
            self.passed += number_before(result, " passed");
            self.failed += number_before(result, " failed");
        } else if let Some((test, outcome)) = line
            .strip_prefix("test ")
            .and_then(|rest| rest.rsplit_once(" ... "))
            && let Some(reason) = outcome.strip_prefix("ignored")
        {
            let reason = reason.trim_start_matches(", ");
            let reason = if reason.is_empty() {
                "marked to be ignored"
            } else {
                reason
            };
            self.ignored.push((test.to_owned(), reason.to_owned()));
        }
    }
}

/// The number in front of a word, as in `ok. 12 passed; 0 failed`.
fn number_before(text: &str, word: &str) -> u64 {
    let number = text
        .split_once(word)
        .and_then(|(before, _)| before.rsplit(' ').next());
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_add_up_over_test_programs() {
        let mut counts = Counts::default();
        for line in [
            "running 3 tests",
            "test a::b ... ok",
            "test a::c ... ignored",
            "test a::d ... ignored, needs a moon",
            "test result: ok. 12 passed; 0 failed; 2 ignored; 0 measured; 0 filtered out; finished in 0.62s",
            "test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.62s",
        ] {
            counts.note(line);
        }
        assert_eq!((counts.passed, counts.failed), (13, 2));
        let ignored = [("a::c", "marked to be ignored"), ("a::d", "needs a moon")];
        assert_eq!(
            counts.ignored,
            ignored.map(|(test, reason)| (test.to_owned(), reason.to_owned()))
        );
    }
}
