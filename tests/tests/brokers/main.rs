#![allow(clippy::unwrap_used, unreachable_pub)]
//! Engines that are there already, as queues: one suite for all of them, on the real server of each, and what is done to it.

#[path = "../support/mod.rs"]
#[allow(dead_code, unused_macros, reason = "shared with the other tests")]
mod support;

#[macro_use]
mod engine;

mod child;
mod conformance;
mod faults;
mod kafka;
mod members;
mod nats;
mod rabbitmq;
mod redis;
mod rocketmq;
mod tls;
mod url;
