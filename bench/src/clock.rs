//! A clock that all processes of the machine share.

use std::time::Duration;

use anyhow::{Context, Result};
use nix::time::{ClockId, clock_gettime};
use nix::unistd::Pid;

/// Time since the machine was started (CLOCK_MONOTONIC), the same number in every process.
pub(crate) fn now() -> Duration {
    // Linux always has this clock; without it every latency would be zero, which nobody would take for a result.
    clock_gettime(ClockId::CLOCK_MONOTONIC).map_or(Duration::ZERO, Duration::from)
}

/// The processor time that a process has used, all its threads together, to the nanosecond.
pub(crate) fn cpu_time(pid: u32) -> Result<Duration> {
    let pid = Pid::from_raw(i32::try_from(pid).context("a process id")?);
    ClockId::pid_cpu_clock_id(pid)
        .and_then(clock_gettime)
        .map(Duration::from)
        .with_context(|| format!("could not read the processor time of process {pid}"))
}
