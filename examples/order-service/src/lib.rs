//! An example to copy: a main order splits into a sub-order per merchant, and the modules talk only through messages
//! that are committed with what they tell.
//!
//! In reading order: what the modules tell each other ([`events`]); the modules ([`orders`], [`inventory`], [`payment`],
//! [`shipping`], [`loyalty`]), each with its tables and what it does when it hears something; how they hear and speak
//! ([`messaging`]), and the [`journal`] of it; the databases they can live in ([`database`]) and all of them in one
//! ([`backend`]); HTTP ([`http`], [`web`], [`playground`]); and the wiring ([`Service`]). [`demo`] puts all of it under load
//! and audits what came of it ([`audit`]).

pub mod audit;
pub mod backend;
pub mod client;
pub mod config;
pub mod database;
pub mod dead_letters;
pub mod demo;
pub mod events;
pub mod faults;
pub mod groups;
pub mod http;
pub mod ids;
pub mod inventory;
pub mod jobs;
pub mod journal;
pub mod logging;
pub mod loyalty;
pub mod messaging;
pub mod orders;
pub mod payment;
pub mod playground;
pub mod role;
pub mod serve;
pub mod service;
pub mod shipping;
pub mod signals;
pub mod web;

mod store_error;

pub use service::{Service, Setup};
pub use store_error::StoreError;
