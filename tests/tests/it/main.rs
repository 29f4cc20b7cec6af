//! One binary: what is promised, shown on real databases and real processes.

mod conformance;
mod faults;
mod support;
