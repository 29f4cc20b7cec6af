#![allow(clippy::unwrap_used, unreachable_pub)]
//! One binary: what is promised, shown on real databases and real processes.

#[macro_use]
#[path = "../support/mod.rs"]
mod support;

mod confirmation;
mod conformance;
mod effect_once;
mod faults;
#[macro_use]
mod queue_conformance;
mod half;
mod queue_faults;
