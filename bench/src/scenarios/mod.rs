//! One file per scenario; each says how it measures and why that is fair.

pub(crate) mod bloat;
pub(crate) mod broker;
pub(crate) mod consume;
pub(crate) mod dedupe;
mod deliveries;
pub(crate) mod idle;
pub(crate) mod latency;
pub(crate) mod memory;
pub(crate) mod publish;
pub(crate) mod queue;
pub(crate) mod relay;
pub(crate) mod scale;
mod steady;
pub(crate) mod waiting;
