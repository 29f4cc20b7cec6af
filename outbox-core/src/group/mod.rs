//! What queues with consumer groups share, whatever they are kept in: where a new group [`Start`]s, and how a group's
//! members share its queues ([`assign()`]).

mod assign;
mod start;

pub use assign::{QueueName, assign};
pub use start::Start;
