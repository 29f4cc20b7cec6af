use super::suite::Guarantees;
use crate::support::Kind;

conformance!(
    Kind::MySql,
    Guarantees {
        several_relays: true,
        id_is_taken_before_commit: true
    }
);
