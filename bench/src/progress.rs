//! A progress bar on standard error, for people who watch.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// Invisible where standard error is no terminal.
#[derive(Debug, Clone)]
pub(crate) struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// So that the time goes on while a step takes long. Ten looks at the clock a second disturb nothing.
    const TICK: Duration = Duration::from_millis(100);

    pub(crate) fn new(steps: u64) -> Self {
        let bar = ProgressBar::new(steps);
        if let Ok(style) = ProgressStyle::with_template("{elapsed_precise} {bar:30} {pos}/{len} {msg}") {
            bar.set_style(style);
        }
        if !bar.is_hidden() {
            bar.enable_steady_tick(Self::TICK);
        }
        Self { bar }
    }

    /// What is being done now.
    pub(crate) fn says(&self, what: impl Into<String>) {
        self.bar.set_message(what.into());
    }

    /// So many steps are done.
    pub(crate) fn at(&self, steps: u64) {
        self.bar.set_position(steps);
    }

    /// One step is done.
    pub(crate) fn step(&self) {
        self.bar.inc(1);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
