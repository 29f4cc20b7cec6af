#![allow(clippy::unwrap_used, unreachable_pub)]
//! One binary: what is promised, shown on real databases and real processes.

#[macro_use]
mod support;

mod confirmation;
mod conformance;
mod faults;
mod queue_conformance;
mod queue_faults;
