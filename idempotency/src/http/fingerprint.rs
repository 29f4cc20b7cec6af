use http::{Method, Uri};
use sha2::{Digest, Sha256};

use crate::ledger::Fingerprint;

/// Bytes of a fingerprint.
pub(super) const BYTES: usize = 32;

/// What makes two requests the same: method, path with query, and the body's bytes. Each with its length in front, so that
/// no two of them run into each other.
pub(super) fn of_request(method: &Method, uri: &Uri, body: &[u8]) -> Fingerprint {
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    Fingerprint::from_bytes(hash(&[
        b"request",
        method.as_str().as_bytes(),
        path.as_bytes(),
        body,
    ]))
}

/// The ledger's scope of a caller: a hash, so that whatever identifies callers has room, and no caller can choose one that
/// runs into another's or into a consumer group's.
pub(super) fn scope_of(caller: &str) -> String {
    use std::fmt::Write as _;
    let hash = hash(&[b"caller", caller.as_bytes()]);
    let mut scope = String::with_capacity(5 + 2 * BYTES);
    scope.push_str("http:");
    for byte in hash {
        // Writing to a String does not fail.
        let _ = write!(scope, "{byte:02x}");
    }
    scope
}

fn hash(parts: &[&[u8]]) -> [u8; BYTES] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_counts_and_none_runs_into_another() {
        let of = |method, path: &'static str, body: &str| {
            of_request(&method, &Uri::from_static(path), body.as_bytes())
        };
        let first = of(Method::POST, "/orders", "1");
        assert_eq!(first, of(Method::POST, "/orders", "1"));
        for other in [
            of(Method::PUT, "/orders", "1"),
            of(Method::POST, "/orders?", "1"),
            of(Method::POST, "/orders?a", "1"),
            of(Method::POST, "/order", "s1"),
            of(Method::POST, "/orders1", ""),
            of(Method::POST, "/orders", "2"),
        ] {
            assert_ne!(first, other);
        }
    }

    #[test]
    fn scopes_are_apart() {
        assert_ne!(scope_of("a"), scope_of("b"));
        assert_ne!(scope_of(""), scope_of("\0"));
        assert_eq!(scope_of(&"x".repeat(10_000)).len(), 69);
    }
}
