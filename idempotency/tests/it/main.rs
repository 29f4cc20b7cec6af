//! The lock, in memory and in real servers.
#![allow(clippy::unwrap_used)]

mod contract;
mod redis_cluster;
mod redis_faults;
mod redis_sentinel;
mod support;
