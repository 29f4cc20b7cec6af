//! How long each stage took.

use std::fmt;
use std::time::{Duration, Instant};

/// The stages of a run, in order.
#[derive(Debug, Default)]
pub(crate) struct Stages {
    taken: Vec<(&'static str, Duration)>,
}

impl Stages {
    /// Runs a stage, which may itself fail, and notes its time.
    pub(crate) fn run<T>(&mut self, name: &'static str, stage: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let result = stage();
        self.taken.push((name, start.elapsed()));
        result
    }
}

impl fmt::Display for Stages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Time:")?;
        for (index, (name, duration)) in self.taken.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma} {name} {:.1} s", duration.as_secs_f64())?;
        }
        Ok(())
    }
}
