//! Which queue of its topic a message lands in.

use outbox_core::Message;
use outbox_core::group::placement::{key_hash, queue_of};

/// The queue of a message: a key always has the same one; those without a key are spread.
pub(crate) fn queue(message: &Message, queues: u32) -> u32 {
    let hash = match message.key() {
        Some(key) => key_hash(key),
        None => spread(message),
    };
    queue_of(hash, queues, queues)
}

/// The last bytes of an id are random, also of one that begins with the time.
fn spread(message: &Message) -> u32 {
    let bytes = message.id().0.into_bytes();
    u32::from_be_bytes([bytes[12], bytes[13], bytes[14], bytes[15]])
}
