//! The relay as a program of its own: what `outbox-relay` is made of, for its tests. Programs in Rust embed
//! [`outbox_core::relay::Relay`] instead.

pub mod cli;
pub mod config;
pub mod database;
