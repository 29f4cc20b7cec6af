//! What a process keeps in memory, by the kernel's account.

use anyhow::{Context, Result};

const KIB_PER_MIB: f64 = 1024.0;

/// Its resident memory now, in MiB.
pub(crate) fn resident_mib(pid: u32) -> Result<f64> {
    status(pid, "VmRSS:")
}

/// The most that was ever resident, in MiB.
pub(crate) fn highest_mib(pid: u32) -> Result<f64> {
    status(pid, "VmHWM:")
}

/// A figure of the kernel's, in MiB.
fn status(pid: u32, name: &str) -> Result<f64> {
    let path = format!("/proc/{pid}/status");
    let text = std::fs::read_to_string(&path).with_context(|| format!("reading {path}"))?;
    let kib: f64 = text
        .lines()
        .find_map(|line| line.strip_prefix(name))
        .and_then(|rest| rest.split_whitespace().next())
        .and_then(|number| number.parse().ok())
        .with_context(|| format!("{path} has no {name}"))?;
    Ok(kib / KIB_PER_MIB)
}
