//! How a module takes part in the conversation: it hears messages, each of which takes effect once, and sends others,
//! in one transaction.
//!
//! In reading order: sending ([`Messenger`]); hearing (`hear`: the consumer of a module, with the ledger behind it); what a
//! message was caused by ([`trace`]); and the queue in between ([`queue`]).

mod hear;
mod messenger;
pub mod queue;
mod tap;
pub mod trace;

pub use hear::{Hearing, Module, ModuleHandler, SLOWNESS_MAX, hear};
pub use messenger::Messenger;
pub use tap::Tap;
