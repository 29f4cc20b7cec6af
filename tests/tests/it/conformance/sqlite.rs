use super::suite::Guarantees;
use crate::support::Kind;

// One process relays, and one connection writes.
conformance!(
    Kind::Sqlite,
    Guarantees {
        several_relays: false,
        id_is_taken_before_commit: false
    }
);
