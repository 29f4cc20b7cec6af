//! Loyalty points: a module that came later. It hears what orders tells everybody, and no line of any sender was changed for
//! it. Its group begins where the topic's messages begin that are still kept, so it knows the past as well.
//!
//! Adding points has no natural key that would make a repetition harmless; the ledger behind the consumer does.

mod account;
mod http;
mod listener;
mod statements;

pub use account::{Account, Accounts};
pub use http::{Routes, routes};
pub use listener::module;
pub use statements::Statements;
