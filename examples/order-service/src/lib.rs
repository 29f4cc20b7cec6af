//! An example to copy: a main order splits into a sub-order per merchant, and the modules talk only through messages
//! that are committed with what they tell.
//!
//! In reading order: what the modules tell each other ([`events`]); the two modules ([`orders`], [`inventory`]), each
//! with its tables, its HTTP routes and its consumer; the databases they can live in ([`database`]) and the queues between
//! them ([`queue`]); and the wiring ([`Service`]), where outbox, relay, queue and consumers come together. [`demo`] puts
//! all of it under load and audits what came of it ([`audit`]).

pub mod audit;
pub mod client;
pub mod config;
pub mod database;
pub mod demo;
pub mod events;
pub mod http;
pub mod ids;
pub mod inventory;
pub mod logging;
pub mod maintenance;
pub mod orders;
pub mod queue;
pub mod serve;
pub mod signals;

mod service;
mod store_error;

pub use service::{Service, Setup};
pub use store_error::StoreError;
