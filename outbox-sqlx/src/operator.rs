//! What operators have to say with what they do: who they are, and why.

use crate::error::OutboxError;

/// Longest name of an operator, in characters: what every database can store.
pub(crate) const BY_MAX: usize = 255;
/// Longest reason, in characters.
pub(crate) const REASON_MAX: usize = 1_000;

/// What died never: later than anything, and still a time in every database (the end of the year 9999), in microseconds
/// since 1970.
pub(crate) const NEVER: i64 = 253_402_300_799_000_000;

/// Refuses a name that says nothing or can't be stored as it is.
pub(crate) fn check_by(by: &str) -> Result<(), OutboxError> {
    if by.trim().is_empty() {
        return Err(OutboxError::ByEmpty);
    }
    let chars = by.chars().count();
    if chars > BY_MAX {
        return Err(OutboxError::ByTooLong { chars, max: BY_MAX });
    }
    check_text(by)
}

/// Refuses a reason that says nothing or too much.
pub(crate) fn check_reason(reason: &str) -> Result<(), OutboxError> {
    if reason.trim().is_empty() {
        return Err(OutboxError::ReasonEmpty);
    }
    let chars = reason.chars().count();
    if chars > REASON_MAX {
        return Err(OutboxError::ReasonTooLong {
            chars,
            max: REASON_MAX,
        });
    }
    check_text(reason)
}

/// Refuses what Postgres can't store.
fn check_text(text: &str) -> Result<(), OutboxError> {
    if text.contains('\0') {
        return Err(OutboxError::NotA {
            what: "text that every database can store: it has a zero byte",
            text: text.to_owned(),
        });
    }
    Ok(())
}

/// What the audit calls an action.
pub(crate) const REDRIVEN: &str = "redriven";
pub(crate) const DISCARDED: &str = "discarded";
pub(crate) const UNBLOCKED: &str = "unblocked";

/// Why the retention gives a dead letter up.
#[cfg(any(feature = "sqlite", feature = "mysql"))]
pub(crate) const NOBODY_DECIDED: &str = "nobody decided within the retention of dead letters";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_and_why_have_to_say_something() {
        for blank in ["", " ", "\t\n", "\u{a0}"] {
            assert!(matches!(check_by(blank), Err(OutboxError::ByEmpty)));
            assert!(matches!(check_reason(blank), Err(OutboxError::ReasonEmpty)));
        }
        assert!(matches!(check_by("a\0"), Err(OutboxError::NotA { .. })));
        assert!(matches!(check_reason("a\0"), Err(OutboxError::NotA { .. })));
        // Characters, not bytes.
        check_by(&"é".repeat(BY_MAX)).unwrap();
        check_reason(&"é".repeat(REASON_MAX)).unwrap();
        let by = check_by(&"é".repeat(BY_MAX + 1));
        assert!(matches!(
            by,
            Err(OutboxError::ByTooLong {
                chars: 256,
                max: BY_MAX
            })
        ));
        let reason = check_reason(&"é".repeat(REASON_MAX + 1));
        assert!(matches!(
            reason,
            Err(OutboxError::ReasonTooLong { chars: 1_001, .. })
        ));
    }
}
