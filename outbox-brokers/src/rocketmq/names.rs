//! How RocketMQ calls what is ours. Pure.
//!
//! Its topics and groups are letters, digits, `_`, `-`, `%` and `|`; there are no dots. It has 127 of them at most, and puts group and topic
//! together where a group gets its messages again (`%RETRY%group_topic`).

use std::borrow::Cow;

use crate::names::{digest, token};

/// Most characters of a prefix.
pub(super) const PREFIX_MAX: usize = 100;
/// As much of it as is shown, and of a name.
const PREFIX_SHOWN: usize = 24;
const NAME_SHOWN: usize = 31;

/// A topic of ours.
pub(super) fn topic(prefix: &str, topic: &str) -> String {
    named(prefix, topic)
}

/// A consumer group of ours.
pub(super) fn group(prefix: &str, group: &str) -> String {
    named(prefix, group)
}

/// The dead letters of a consumer group, where RocketMQ and its tools have them.
pub(super) fn dead(prefix: &str, group: &str) -> String {
    format!("%DLQ%{}", named(prefix, group))
}

fn named(prefix: &str, name: &str) -> String {
    let name = token(name);
    let name = short(&name, NAME_SHOWN);
    match prefix {
        "" => name.into_owned(),
        prefix => format!("{}-{name}", short(&prefix.replace('.', "_"), PREFIX_SHOWN)),
    }
}

/// The beginning of what is too long, and a digest of all of it.
fn short(text: &str, max: usize) -> Cow<'_, str> {
    match text.len() <= max {
        true => text.into(),
        // A digest is twelve characters, and all of these are one byte each.
        false => format!("{}-{}", &text[..max - 13], digest(text)).into(),
    }
}

const _: () = assert!("%RETRY%".len() + 2 * (PREFIX_SHOWN + 1 + NAME_SHOWN) < 127);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_name_is_shown_as_far_as_it_can_be() {
        assert_eq!(topic("", "orders"), "orders");
        assert_eq!(
            topic("shop.eu", "orders.placed"),
            "shop_eu-orders_placed-09e7cbf33837"
        );
        assert_eq!(dead("", "shipping"), "%DLQ%shipping");
        let long = topic(&"p".repeat(PREFIX_MAX), &"t".repeat(200));
        assert_eq!(long.len(), PREFIX_SHOWN + 1 + NAME_SHOWN, "{long}");
    }

    proptest! {
        #[test]
        fn what_is_not_the_same_is_not_called_the_same(one in "[a-z.é]{1,60}", two in "[a-z.é]{1,60}", prefix in "[a-z]{0,40}") {
            prop_assert_eq!(one == two, topic(&prefix, &one) == topic(&prefix, &two));
        }
    }
}
