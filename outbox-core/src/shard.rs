use md5::{Digest, Md5};
use serde::{Deserialize, Serialize};

use crate::message::MessageId;

/// How many shards there are. A constant, because the database's own function computes the same.
pub const SHARDS: u16 = 64;

/// The unit that a relay leases: all messages of one topic and key are in one shard.
///
/// It is the first 16 bits of `md5(topic, 0x1F, key)` (of the message id's 16 bytes where there is no
/// key), modulo 64. MD5, because every database can compute it; nothing here needs it to be secure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Shard(u8);

impl Shard {
    /// The separator of topic and key: neither may hold it.
    const SEPARATOR: u8 = 0x1f;

    /// The shard of a message.
    pub fn of(topic: &str, key: Option<&str>, id: MessageId) -> Self {
        let mut hash = Md5::new();
        match key {
            Some(key) => {
                hash.update(topic.as_bytes());
                hash.update([Self::SEPARATOR]);
                hash.update(key.as_bytes());
            }
            None => hash.update(id.0.as_bytes()),
        }
        let digest = hash.finalize();
        // The modulus is 64, so the lower six of the first sixteen bits are all that counts.
        Self(digest[1] % SHARDS as u8)
    }

    /// The shard of a stored number; what is out of range counts as shard 0.
    pub fn from_stored(number: i16) -> Self {
        u8::try_from(number)
            .ok()
            .filter(|&n| u16::from(n) < SHARDS)
            .map_or(Self(0), Self)
    }

    /// The number, 0 to 63.
    pub fn number(self) -> u8 {
        self.0
    }

    /// All shards in order.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..SHARDS as u8).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_what_any_database_computes() {
        // SELECT ('x' || substr(md5('orders' || E'\x1f' || 'k1'), 1, 4))::bit(16)::int % 64
        let id = MessageId(uuid::Uuid::nil());
        assert_eq!(
            Shard::of("orders", Some("k1"), id),
            Shard::of("orders", Some("k1"), MessageId::new())
        );
        assert_eq!(Shard::from_stored(64), Shard(0));
        assert_eq!(Shard::from_stored(-1), Shard(0));
        assert_eq!(Shard::from_stored(63), Shard(63));
        let used: std::collections::HashSet<_> = (0..5000)
            .map(|n| Shard::of("t", Some(&n.to_string()), id))
            .collect();
        assert_eq!(used.len(), usize::from(SHARDS));
    }
}
