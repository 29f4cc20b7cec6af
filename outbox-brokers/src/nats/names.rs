//! Which subjects and consumers are whose. Pure.

use outbox_core::Limits;

use crate::names::token;

/// The subject of a topic's queue.
pub(super) fn subject(prefix: &str, topic: &str, queue: u32) -> String {
    format!("{prefix}.{topic}.{queue}")
}

/// The subjects of all queues of a topic.
pub(super) fn subjects_of_topic(prefix: &str, topic: &str) -> String {
    format!("{prefix}.{topic}.*")
}

/// All subjects under a prefix.
pub(super) fn all_subjects(prefix: &str) -> String {
    format!("{prefix}.>")
}

/// The topic and the queue of a subject; `None` when it is none of ours.
pub(super) fn of_subject<'a>(prefix: &str, subject: &'a str) -> Option<(&'a str, u32)> {
    let (topic, queue) = subject
        .strip_prefix(prefix)?
        .strip_prefix('.')?
        .rsplit_once('.')?;
    Some((topic, queue.parse().ok()?))
}

/// The subject of a group's dead letters of a topic.
pub(super) fn dead_subject(prefix: &str, group: &str, topic: &str) -> String {
    format!("{prefix}.{}.{topic}", token(group))
}

/// The subjects of all dead letters of a group.
pub(super) fn dead_subjects(prefix: &str, group: &str) -> String {
    format!("{prefix}.{}.>", token(group))
}

/// The name of the durable consumer of a group; of one queue of a topic, or of all.
pub(super) fn consumer(group: &str, topic: &str, queue: Option<u32>) -> String {
    let queue = queue.map_or_else(|| "all".to_owned(), |queue| queue.to_string());
    format!("{}-{}-{queue}", token(group), token(topic))
}

/// Whether a topic can be in a subject: its words are divided by dots, and none is empty.
pub(super) fn check_topic(topic: &str) -> Result<(), String> {
    Limits::check_topic(topic).map_err(|error| error.to_string())?;
    if topic.split('.').any(str::is_empty) {
        return Err(format!(
            "the topic {topic:?} can't be a NATS subject: there is nothing before, between or after its dots"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_subject_says_topic_and_queue() {
        assert_eq!(subject("outbox", "orders.placed", 3), "outbox.orders.placed.3");
        assert_eq!(
            of_subject("outbox", "outbox.orders.placed.3"),
            Some(("orders.placed", 3))
        );
        for other in [
            "outbox.3",
            "other.orders.3",
            "outbox.orders.x",
            "outboxes.orders.3",
            "outbox",
        ] {
            assert_eq!(of_subject("outbox", other), None, "{other}");
        }
    }

    #[test]
    fn topics_that_can_t_be_subjects() {
        for topic in [".orders", "orders.", "orders..placed", "", "orders placed", "*"] {
            assert!(check_topic(topic).is_err(), "{topic:?}");
        }
        for topic in ["orders", "orders.placed", "a:b/c-d_e"] {
            check_topic(topic).unwrap();
        }
    }

    proptest! {
        #[test]
        fn what_is_not_the_same_is_not_called_the_same(
            one in ("\\PC{1,80}", "[a-z.:/-]{1,80}", 0u32..3),
            two in ("\\PC{1,80}", "[a-z.:/-]{1,80}", 0u32..3),
        ) {
            let name = |(group, topic, queue): &(String, String, u32)| consumer(group, topic, Some(*queue));
            prop_assert_eq!(one == two, name(&one) == name(&two));
            prop_assert!(name(&one).bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-'));
            prop_assert!(name(&one).len() < 255);
        }
    }
}
