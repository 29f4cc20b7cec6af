//! The order service as a whole: the real binary, over its HTTP API, on SQLite, on Postgres and on MySQL.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

mod answers;
mod audit;
mod bad_configuration;
mod brokers;
mod browser;
mod crashes;
mod demo;
mod drain;
mod duplicates;
mod lock_order;
mod messages;
mod openapi;
mod page;
mod paying;
mod placing;
mod queue_uses;
mod refunds;
mod reserving;
mod roles;
mod shipping;
mod together;
mod unpaid;
mod validation;
