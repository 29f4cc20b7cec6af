//! Which topics are whose. Pure.

use crate::names::{digest, token};

/// The most that Kafka takes.
const TOPIC_BYTES: usize = 249;
/// Most bytes of a prefix.
pub(super) const PREFIX_MAX: usize = 90;
/// Longer names are cut and have their digest, so that a group's topics fit as well.
const SHOWN: usize = 140;
/// Longer ones are shown as a token in the name of a group's topic.
const SHOWN_IN_GROUP: usize = 73;
/// How the topics of groups end, and no others.
const OF_GROUPS: [&str; 2] = [RETRY, DEAD];
const RETRY: &str = ".retry";
const DEAD: &str = ".dead";

/// The topic as Kafka has it: of the same name, where it can be one.
pub(super) fn topic(prefix: &str, topic: &str) -> String {
    prefixed(prefix, &own(topic))
}

/// Where what a group retries and redrives of a topic is.
pub(super) fn retry(prefix: &str, group: &str, topic: &str) -> String {
    let own = own(topic);
    let shown = if own.len() <= SHOWN_IN_GROUP {
        own
    } else {
        token(topic)
    };
    // A token has no dots.
    prefixed(prefix, &format!("{}.{shown}{RETRY}", token(group)))
}

/// Where a group's dead letters are.
pub(super) fn dead(prefix: &str, group: &str) -> String {
    prefixed(prefix, &format!("{}{DEAD}", token(group)))
}

/// The group as Kafka has it.
pub(super) fn group(prefix: &str, group: &str) -> String {
    prefixed(prefix, group)
}

fn prefixed(prefix: &str, name: &str) -> String {
    match prefix.is_empty() {
        true => name.to_owned(),
        false => format!("{prefix}.{name}"),
    }
}

/// A name of ours as Kafka takes it: the same, unless that can't be or is called so already. The same for equal names only.
fn own(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let dots = name.chars().all(|c| c == '.');
    let of_group = OF_GROUPS.iter().any(|end| name.ends_with(end));
    if name.len() <= SHOWN && name.chars().all(plain) && !dots && !of_group && !has_digest(name) {
        return name.to_owned();
    }
    let shown: String = name
        .chars()
        .take(SHOWN - 13)
        .map(|c| if plain(c) { c } else { '_' })
        .collect();
    format!("{shown}-{}", digest(name))
}

/// Whether it ends as names do that could not be as they are.
fn has_digest(name: &str) -> bool {
    name.rsplit_once('-').is_some_and(|(_, end)| {
        end.len() == 12
            && end
                .bytes()
                .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    })
}

const _: () = assert!(PREFIX_MAX + 1 + SHOWN <= TOPIC_BYTES);
const _: () = assert!(PREFIX_MAX + 1 + 73 + 1 + SHOWN_IN_GROUP + RETRY.len() <= TOPIC_BYTES);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_can_be_is_as_it_is() {
        for name in ["orders.placed", "orders-placed_2", "a"] {
            assert_eq!(topic("", name), name);
        }
        assert_eq!(topic("shop", "orders.placed"), "shop.orders.placed");
        assert_eq!(
            retry("shop", "shipping", "orders.placed"),
            "shop.shipping.orders.placed.retry"
        );
        assert_eq!(dead("", "shipping"), "shipping.dead");
        assert_eq!(group("shop", "shipping"), "shop.shipping");
    }

    #[test]
    fn what_groups_have_is_nobody_s_topic() {
        for name in [
            "shipping.orders.retry",
            "shipping.dead",
            ".",
            "..",
            "a:b/c",
            "a-0123456789ab",
        ] {
            let mapped = topic("", name);
            assert_ne!(mapped, name);
            assert!(has_digest(&mapped), "{mapped}");
        }
    }

    proptest! {
        #[test]
        fn what_is_not_the_same_is_not_called_the_same(
            one in ("[a-z.:/-]{1,6}|\\PC{1,200}", "[a-z.:/-]{1,6}|\\PC{1,200}"),
            two in ("[a-z.:/-]{1,6}|\\PC{1,200}", "[a-z.:/-]{1,6}|\\PC{1,200}"),
        ) {
            prop_assert_eq!(one.0 == two.0, topic("p", &one.0) == topic("p", &two.0));
            prop_assert_eq!(one == two, retry("p", &one.0, &one.1) == retry("p", &two.0, &two.1));
            for name in [topic("p", &one.0), retry("p", &one.0, &one.1), dead("p", &one.0)] {
                prop_assert!(name.len() <= TOPIC_BYTES, "{}", name);
                prop_assert!(name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b)));
            }
            prop_assert!(topic("p", &one.0) != retry("p", &two.0, &two.1));
            prop_assert!(topic("p", &one.0) != dead("p", &two.0));
        }
    }
}
