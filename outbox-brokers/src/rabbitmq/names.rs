//! What exchanges and queues are called. Pure.

use crate::names::{digest, token};

/// Most bytes of a name.
const NAME_MAX: usize = 255;
/// What stands behind a name that was cut.
const DIGEST: usize = 13;

/// The exchange of a topic.
pub(super) fn exchange(prefix: &str, topic: &str) -> String {
    short(format!("{prefix}.{topic}"))
}

/// The routing key of a topic's queue.
pub(super) fn routing_key(queue: u32) -> String {
    queue.to_string()
}

/// The queue of a group for a queue of a topic, or for all of them.
pub(super) fn queue(prefix: &str, group: &str, topic: &str, queue: Option<u32>) -> String {
    let queue = queue.map_or_else(|| "all".to_owned(), |queue| queue.to_string());
    // A token has no dot: nothing else is called so.
    short(format!("{prefix}.{}.{topic}.{queue}", token(group)))
}

/// The queue in which messages wait for this queue, for so many milliseconds.
pub(super) fn delay(prefix: &str, group: &str, topic: &str, milliseconds: u64) -> String {
    short(format!("{prefix}-delay.{}.{topic}.{milliseconds}", token(group)))
}

/// A queue that is there for a moment.
pub(super) fn moment(prefix: &str, unique: &str) -> String {
    format!("{prefix}-moment.{unique}")
}

/// The exchange of all dead letters. Not under the prefix, where it could be a topic's.
pub(super) fn dead_exchange(prefix: &str) -> String {
    format!("{prefix}-dead")
}

/// The routing key of a group's dead letters.
pub(super) fn dead_key(group: &str) -> String {
    token(group)
}

/// The queue of a group's dead letters.
pub(super) fn dead_queue(prefix: &str, group: &str) -> String {
    format!("{prefix}-dead.{}", token(group))
}

/// Held by whoever looks through the dead letters.
pub(super) fn dead_lock(prefix: &str, group: &str) -> String {
    format!("{prefix}-dead.{}.lock", token(group))
}

/// A name that is too long, cut, and with what tells it from others.
fn short(name: String) -> String {
    if name.len() <= NAME_MAX {
        return name;
    }
    let mut end = NAME_MAX - DIGEST;
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}-{}", &name[..end], digest(&name))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_say_whose_they_are() {
        assert_eq!(exchange("outbox", "orders.placed"), "outbox.orders.placed");
        assert_eq!(
            queue("outbox", "shipping", "orders.placed", Some(3)),
            "outbox.shipping.orders.placed.3"
        );
        assert_eq!(
            queue("outbox", "shipping", "orders", None),
            "outbox.shipping.orders.all"
        );
        assert_eq!(
            delay("outbox", "shipping", "orders", 1024),
            "outbox-delay.shipping.orders.1024"
        );
        assert_eq!(dead_queue("outbox", "shipping"), "outbox-dead.shipping");
    }

    proptest! {
        #[test]
        fn what_is_not_the_same_is_not_called_the_same(
            one in ("\\PC{1,80}", "[a-z.:/-]{1,255}", 0u32..3),
            two in ("\\PC{1,80}", "[a-z.:/-]{1,255}", 0u32..3),
        ) {
            let name = |(group, topic, n): &(String, String, u32)| queue("outbox", group, topic, Some(*n));
            prop_assert_eq!(one == two, name(&one) == name(&two));
            prop_assert!(name(&one).len() <= NAME_MAX);
            prop_assert_eq!(one.1 == two.1, exchange("outbox", &one.1) == exchange("outbox", &two.1));
            prop_assert!(exchange(&"p".repeat(100), &one.1).len() <= NAME_MAX);
            prop_assert!(dead_lock(&"p".repeat(100), &one.0).len() <= NAME_MAX);
        }
    }
}
