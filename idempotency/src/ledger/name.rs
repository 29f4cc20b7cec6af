use crate::error::IdempotencyError;

/// The longest scope, in bytes.
pub const SCOPE_BYTES: usize = 200;

/// The longest key, in bytes.
pub const KEY_BYTES: usize = 255;

/// A scope and a key that every database here can store as they are. Checked here, because a database may cut what is too
/// long, and call it a duplicate.
#[derive(Debug, Clone, Copy)]
pub struct Name<'a> {
    pub(crate) scope: &'a str,
    pub(crate) key: &'a str,
}

impl<'a> Name<'a> {
    pub(crate) fn new(scope: &'a str, key: &'a str) -> Result<Self, IdempotencyError> {
        check_scope(scope)?;
        check(
            "key",
            key,
            KEY_BYTES,
            "at most 255 bytes are allowed; hash longer ones",
        )?;
        Ok(Self { scope, key })
    }
}

pub(crate) fn check_scope(scope: &str) -> Result<(), IdempotencyError> {
    check("scope", scope, SCOPE_BYTES, "at most 200 bytes are allowed")
}

fn check(
    input: &'static str,
    text: &str,
    max: usize,
    too_long: &'static str,
) -> Result<(), IdempotencyError> {
    let problem = if text.is_empty() {
        "it is empty"
    } else if text.len() > max {
        too_long
    } else if text.contains('\0') {
        "it has a NUL in it"
    } else {
        return Ok(());
    };
    Err(IdempotencyError::Name {
        input,
        bytes: text.len(),
        problem,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_database_could_store_as_it_is_is_refused_by_its_name() {
        let (long_scope, long_key) = ("é".repeat(101), "é".repeat(128));
        for (scope, key, input, bytes) in [
            ("", "k", "scope", 0),
            ("s", "", "key", 0),
            (&long_scope, "k", "scope", 202),
            ("s", &long_key, "key", 256),
            ("s\0", "k", "scope", 2),
            ("s", "\0", "key", 1),
        ] {
            let error = Name::new(scope, key).unwrap_err();
            assert!(
                matches!(error, IdempotencyError::Name { input: i, bytes: b, .. } if i == input && b == bytes),
                "{error}"
            );
        }
        assert!(Name::new(&"é".repeat(100), &"x".repeat(255)).is_ok());
    }
}
