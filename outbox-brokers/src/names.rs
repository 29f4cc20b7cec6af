//! Names of ours as engines take them. Pure.

use md5::{Digest, Md5};

use crate::error::BrokerError;

/// Most characters of a name that its token shows.
const SHOWN: usize = 60;

/// A name as one word of letters, digits, `_` and `-`, 73 bytes at most. The same for equal names only.
pub(crate) fn token(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.len() <= SHOWN && name.chars().all(plain) {
        return name.to_owned();
    }
    let shown: String = name
        .chars()
        .take(SHOWN)
        .map(|c| if plain(c) { c } else { '_' })
        .collect();
    // A plain name has no hyphen.
    format!("{shown}-{}", digest(name))
}

/// Twelve characters that stand for a text.
pub(crate) fn digest(text: &str) -> String {
    let digest = Md5::digest(text.as_bytes());
    digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}

/// A group has a name.
pub(crate) fn check_group(group: &str) -> Result<(), BrokerError> {
    if group.is_empty() || group.len() > 255 || group.chars().any(char::is_control) {
        let reason = "it is 1 to 255 bytes without control characters";
        return Err(BrokerError::setting(
            "the group's name",
            format!("{group:?}"),
            reason,
        ));
    }
    Ok(())
}

/// A group hears something.
pub(crate) fn check_some(topics: &[&str]) -> Result<(), BrokerError> {
    match topics.is_empty() {
        false => Ok(()),
        true => Err(BrokerError::setting(
            "the topics",
            "empty",
            "a group hears at least one",
        )),
    }
}

/// Words that are divided by dots, at most `max` bytes.
pub(crate) fn check_prefix(prefix: &str, max: usize) -> Result<(), BrokerError> {
    let word = |word: &str| {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        !word.is_empty() && word.chars().all(plain)
    };
    if prefix.len() <= max && prefix.split('.').all(word) {
        return Ok(());
    }
    let reason =
        format!("it is words of letters, digits, - and _, divided by dots, {max} characters at most");
    Err(BrokerError::setting("prefix", format!("{prefix:?}"), reason))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_not_the_same_is_not_called_the_same(one in "\\PC{1,80}", two in "\\PC{1,80}") {
            prop_assert_eq!(one == two, token(&one) == token(&two));
            prop_assert!(token(&one).bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-'));
            prop_assert!(token(&one).len() <= 73);
        }
    }
}
