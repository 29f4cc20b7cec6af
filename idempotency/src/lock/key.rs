//! Under which name a lock and its done mark stand.

use std::fmt;

use sha2::{Digest, Sha256};
use uuid::Uuid;

const HEX_DIGITS: &[u8; 16] = b"0123456789abcdef";

/// The name of a lock: the namespace, and a hash of namespace, scope and key.
///
/// Each part goes into the hash (SHA-256) with its length before it, so no two triples are the same text, however they
/// were crafted. The key itself, which may hold what nobody should read, can't be told from it unless it is guessed.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct LockKey {
    text: Box<str>,
}

impl LockKey {
    /// How long the text is, in bytes, whatever it was made from.
    pub const BYTES: usize = 32 + 1 + 64;

    /// The namespace is that of the database in which the effects are, so that two environments, or a database and
    /// what it was restored from, don't take each other's marks for their own. The scope says who asks: a consumer
    /// group, or the caller of an endpoint.
    pub fn new(namespace: Uuid, scope: &str, key: &str) -> Self {
        let mut hash = Sha256::new();
        for part in [namespace.as_bytes().as_slice(), scope.as_bytes(), key.as_bytes()] {
            // No length of ours is wider than this.
            let length = u64::try_from(part.len()).unwrap_or(u64::MAX);
            hash.update(length.to_be_bytes());
            hash.update(part);
        }
        let mut text = String::with_capacity(Self::BYTES);
        push_hex(&mut text, namespace.as_bytes());
        text.push(':');
        push_hex(&mut text, &hash.finalize());
        Self {
            text: text.into_boxed_str(),
        }
    }

    /// The namespace in hexadecimal digits, a colon, and the hash likewise.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for LockKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for LockKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LockKey({})", self.text)
    }
}

fn push_hex(text: &mut String, bytes: &[u8]) {
    for byte in bytes {
        for digit in [byte >> 4, byte & 15] {
            text.push(HEX_DIGITS[usize::from(digit)].into());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn crafted_parts_make_different_keys() {
        let (one, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let parts = [
            (one, "a", "bc"),
            (one, "ab", "c"),
            (one, "abc", ""),
            (one, "", "abc"),
            (one, "a:b", "c"),
            (one, "a", "b:c"),
            (one, "a\0", "b"),
            (one, "a", "\0b"),
            // As the length of "b" would be written.
            (one, "a\0\0\0\0\0\0\0\x01", "b"),
            (one, "a", "\0\0\0\0\0\0\0\x01b"),
            (other, "a", "bc"),
            (one, "A", "bc"),
            (one, "a", "bc "),
        ];
        let keys: HashSet<LockKey> = parts.map(|(n, s, k)| LockKey::new(n, s, k)).into();
        assert_eq!(keys.len(), parts.len());
        assert_eq!(LockKey::new(one, "a", "bc"), LockKey::new(one, "a", "bc"));
    }

    #[test]
    fn the_text_is_bounded_printable_and_hides_the_key() {
        let key = LockKey::new(Uuid::from_u128(0xfe), "scope\r\n", &"secret 4711 ".repeat(10_000));
        assert_eq!(key.as_str().len(), LockKey::BYTES);
        assert!(key.as_str().bytes().all(|byte| byte.is_ascii_graphic()));
        assert!(key.as_str().starts_with("000000000000000000000000000000fe:"));
        let shown = format!("{key:?} {key}");
        assert!(!shown.contains("secret") && !shown.contains("scope"), "{shown}");
    }

    /// What is stored must be found again by the next version.
    #[test]
    fn the_text_of_a_key_does_not_change() {
        // sha256 of 16 (8 bytes), the namespace, 5 (8 bytes), "scope", 3 (8 bytes), "key"
        assert_eq!(
            LockKey::new(Uuid::from_u128(1), "scope", "key").as_str(),
            "00000000000000000000000000000001:6f1de37ba17cc47717c1c964af94b657a742e007ca213c778516f5fd14e488cf"
        );
    }
}
