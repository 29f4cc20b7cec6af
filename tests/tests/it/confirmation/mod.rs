//! The consumer's word back to the sender: confirmed, sent again, given up, and taken back.

mod overdue;
mod recording;
mod support;
