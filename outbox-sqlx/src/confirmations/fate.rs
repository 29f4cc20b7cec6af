use std::collections::HashSet;

use super::asked::Asked;

/// What becomes of a message whose deadline has passed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fate {
    /// Nothing: it was confirmed meanwhile.
    Confirmed,
    /// It is sent again.
    Resend,
    /// It was sent as often as it allows.
    GiveUp {
        /// What its dead letter says.
        error: String,
    },
}

/// Most characters of the text that is kept with a dead letter.
const ERROR_CHARS: usize = 1_000;

/// Decides, by who has confirmed, and how often the message was sent again and may be.
pub(super) fn decide(asked: &Asked, given: &HashSet<String>, resends: i64, max_resends: i64) -> Fate {
    if asked.is_satisfied(given) {
        return Fate::Confirmed;
    }
    if resends < max_resends {
        return Fate::Resend;
    }
    let missing = asked.missing(given);
    let had = asked.groups.len() - missing.len();
    let error = format!(
        "sent {} times, and confirmed by {had} of the {} groups needed; missing: {}",
        resends.saturating_add(1),
        asked.at_least,
        missing.join(", ")
    );
    Fate::GiveUp {
        error: error.chars().take(ERROR_CHARS).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fate(given: &[&str], resends: i64) -> Fate {
        let asked = Asked::of(2, r#"["a","b","c"]"#);
        let given = given.iter().map(|&group| group.to_owned()).collect();
        decide(&asked, &given, resends, 1)
    }

    #[test]
    fn what_was_confirmed_is_neither_sent_again_nor_given_up() {
        assert_eq!(fate(&["a", "c"], 0), Fate::Confirmed);
        assert_eq!(fate(&["a", "c"], 9), Fate::Confirmed);
    }

    #[test]
    fn what_was_not_is_sent_again_while_it_may_be_and_then_names_who_is_missing() {
        assert_eq!(fate(&["a", "stranger"], 0), Fate::Resend);
        let Fate::GiveUp { error } = fate(&["a", "stranger"], 1) else {
            panic!("it was sent as often as it may be")
        };
        assert_eq!(
            error,
            "sent 2 times, and confirmed by 1 of the 2 groups needed; missing: b, c"
        );
    }

    #[test]
    fn groups_that_can_not_be_read_are_never_satisfied() {
        let asked = Asked::of(-1, "no json");
        assert!(matches!(
            decide(&asked, &HashSet::new(), 0, 0),
            Fate::GiveUp { .. }
        ));
    }
}
