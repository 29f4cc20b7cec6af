//! How busy the machine is, by the kernel's account.

use std::fs;

use anyhow::{Context, Result};

const STAT: &str = "/proc/stat";
/// In the first line of the file, counted from its name: idle, and idle while a disk is waited for.
const IDLE: [usize; 2] = [3, 4];
/// What guests use is in the time of users already.
const COLUMNS: usize = 8;

/// The time of all processors since the machine started, in ticks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cores {
    busy: f64,
    all: f64,
    cores: f64,
}

impl Cores {
    pub(crate) fn now() -> Result<Self> {
        let text = fs::read_to_string(STAT).with_context(|| format!("reading {STAT}"))?;
        let cores = text
            .lines()
            .filter(|line| line.starts_with("cpu") && !line.starts_with("cpu "))
            .count();
        let first = text.lines().next().unwrap_or_default();
        let ticks: Vec<f64> = first
            .split_whitespace()
            .skip(1)
            .take(COLUMNS)
            .map(str::parse)
            .collect::<Result<_, _>>()
            .with_context(|| format!("{STAT} begins with {first:?}"))?;
        let all: f64 = ticks.iter().sum();
        let idle: f64 = IDLE.iter().filter_map(|column| ticks.get(*column)).sum();
        Ok(Self {
            busy: all - idle,
            all,
            cores: cores as f64,
        })
    }

    /// How many of them had something to do since then, on average.
    pub(crate) fn busy_since(self, before: Self) -> f64 {
        (self.busy - before.busy) / (self.all - before.all).max(1.0) * self.cores
    }
}
