//! What queues with consumer groups share, whatever they are kept in: where a new group [`Start`]s, how a group's
//! members share its queues ([`assign()`]), and which queue a key is in as a topic grows ([`placement`]).

mod assign;
pub mod placement;
mod start;

pub use assign::{QueueName, assign};
pub use start::Start;
