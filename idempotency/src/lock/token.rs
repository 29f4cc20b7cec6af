//! By what a holder is told from all others.

use std::fmt;

use uuid::Uuid;

/// 128 random bits, new with every lock that is granted.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Token(u128);

impl Token {
    /// One that nobody else has.
    pub fn random() -> Self {
        // Six bits of such a UUID are fixed, the others are random. Turned by half, those of the second fall upon
        // random ones of the first.
        let (one, other) = (Uuid::new_v4().as_u128(), Uuid::new_v4().as_u128());
        Self(one ^ other.rotate_left(64))
    }

    #[cfg(feature = "redis")]
    pub(super) fn number(self) -> u128 {
        self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({:032x})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_128_bits_are_random() {
        let tokens: Vec<u128> = (0..256).map(|_| Token::random().0).collect();
        assert_eq!(tokens.iter().fold(0, |seen, token| seen | token), u128::MAX);
        assert_eq!(tokens.iter().fold(u128::MAX, |seen, token| seen & token), 0);
    }
}
