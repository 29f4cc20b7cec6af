//! The little chance that the harness needs.

use std::hash::{BuildHasher, RandomState};

/// The standard library's hash keys are its one source of chance; two test processes must not walk the same ports.
pub(crate) fn number() -> u64 {
    RandomState::new().hash_one(std::process::id())
}

/// A database's name that nobody else uses.
pub(crate) fn database_name() -> String {
    format!("outbox_test_{:016x}", number())
}
