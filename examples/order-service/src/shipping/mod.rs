//! Shipping: hands what is paid for to a carrier. The carrier is a message to itself that is delivered later.

mod listener;
mod statements;

pub use listener::module;
pub use statements::Statements;
