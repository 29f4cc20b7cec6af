//! Payment: takes the money for a main order, once, and gives some of it back.
//!
//! The money itself is moved by a payment provider, another company's system: [`Gateway`] is how it is talked to, and
//! [`SandboxGateway`] stands for it here. It is called *before* the transaction that writes down what it said, never inside of
//! one, and with an idempotency key, so that an answer that got lost can be asked for again ([`module`]).

mod gateway;
mod listener;
mod sandbox;
mod statements;

pub use gateway::{Charged, Gateway, GatewayError};
pub use listener::module;
pub use sandbox::SandboxGateway;
pub use statements::Statements;
