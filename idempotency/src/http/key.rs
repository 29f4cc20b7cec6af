use std::fmt;

use http::HeaderMap;

/// The request header.
pub const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// What a client sends as `Idempotency-Key`, so that sending the same request again does not do it again
/// (draft-ietf-httpapi-idempotency-key-header-07).
///
/// The draft makes it a quoted string (RFC 9651, section 3.3.3); what many clients send, the same without quotes, is
/// taken too and is the same key.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// Most bytes of a key.
    pub const BYTES_MAX: usize = 255;

    /// The key of a request; `None` without the header.
    ///
    /// # Errors
    /// The header comes more than once, or its value can't be a key.
    pub fn of(headers: &HeaderMap) -> Result<Option<Self>, KeyError> {
        let mut values = headers.get_all(IDEMPOTENCY_KEY).iter();
        let Some(value) = values.next() else {
            return Ok(None);
        };
        if values.next().is_some() {
            return Err(KeyError::Repeated);
        }
        let text = value.to_str().map_err(|_| KeyError::Malformed)?;
        Self::parse(text.trim_matches([' ', '\t'])).map(Some)
    }

    fn parse(text: &str) -> Result<Self, KeyError> {
        let key = match text.strip_prefix('"') {
            Some(quoted) => unquote(quoted)?,
            // No space, no comma: two keys in one header are none.
            None if text
                .bytes()
                .all(|b| b.is_ascii_graphic() && !b"\",;\\".contains(&b)) =>
            {
                text.to_owned()
            }
            None => return Err(KeyError::Malformed),
        };
        match key.len() {
            0 => Err(KeyError::Empty),
            1..=Self::BYTES_MAX => Ok(Self(key)),
            bytes => Err(KeyError::TooLong {
                bytes,
                max: Self::BYTES_MAX,
            }),
        }
    }

    /// Its text, without quotes.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A key may be guessed by nobody else: it is not shown.
impl fmt::Debug for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdempotencyKey")
            .field("bytes", &self.0.len())
            .finish()
    }
}

/// What follows the opening quote. Parameters behind the closing one mean nothing here.
fn unquote(rest: &str) -> Result<String, KeyError> {
    let mut key = String::with_capacity(rest.len());
    let mut characters = rest.chars();
    while let Some(next) = characters.next() {
        match next {
            '"' => {
                let behind = characters.as_str();
                return if behind.is_empty() || behind.starts_with(';') {
                    Ok(key)
                } else {
                    Err(KeyError::Malformed)
                };
            }
            '\\' => match characters.next() {
                Some(escaped @ ('"' | '\\')) => key.push(escaped),
                _ => return Err(KeyError::Malformed),
            },
            ' '..='~' => key.push(next),
            _ => return Err(KeyError::Malformed),
        }
    }
    Err(KeyError::Malformed)
}

/// Why a header is no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// Several of them.
    #[error("there is more than one Idempotency-Key header")]
    Repeated,
    /// Nothing in it.
    #[error("the Idempotency-Key is empty")]
    Empty,
    /// More than can be stored.
    #[error("the Idempotency-Key has {bytes} bytes; at most {max} are allowed")]
    TooLong {
        /// How many it has.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// Not a string of visible ASCII.
    #[error(
        "the Idempotency-Key is malformed: send a quoted string of ASCII, such as \"8e03978e-40d5-43e8-bc93-6894a57f9324\""
    )]
    Malformed,
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn key(value: &[u8]) -> Result<Option<String>, KeyError> {
        let mut headers = HeaderMap::new();
        headers.insert(IDEMPOTENCY_KEY, HeaderValue::from_bytes(value).unwrap());
        Ok(IdempotencyKey::of(&headers)?.map(|key| key.as_str().to_owned()))
    }

    #[test]
    fn with_and_without_quotes_it_is_the_same_key() {
        assert_eq!(key(br#""a-1""#), Ok(Some("a-1".into())));
        assert_eq!(key(b"a-1"), Ok(Some("a-1".into())));
        assert_eq!(key(br#" "a \"b\" \\" ;p=1"#).unwrap_err(), KeyError::Malformed);
        assert_eq!(key(br#""a \"b\" \\";p=1"#), Ok(Some(r#"a "b" \"#.into())));
    }

    #[test]
    fn what_is_no_key_is_refused_by_name() {
        assert_eq!(IdempotencyKey::of(&HeaderMap::new()), Ok(None));
        for malformed in ["\"a", "a b", "a,b", "\"a\"b", "\"a\\n\"", "a\"b"] {
            assert_eq!(key(malformed.as_bytes()), Err(KeyError::Malformed), "{malformed}");
        }
        assert_eq!(key(b"\xe4"), Err(KeyError::Malformed));
        assert_eq!(key(b"\"\""), Err(KeyError::Empty));
        assert_eq!(key(b""), Err(KeyError::Empty));
        assert_eq!(
            key("x".repeat(256).as_bytes()),
            Err(KeyError::TooLong { bytes: 256, max: 255 })
        );
        let mut headers = HeaderMap::new();
        headers.append(IDEMPOTENCY_KEY, HeaderValue::from_static("a"));
        headers.append(IDEMPOTENCY_KEY, HeaderValue::from_static("a"));
        assert_eq!(IdempotencyKey::of(&headers), Err(KeyError::Repeated));
    }

    proptest! {
        #[test]
        fn any_header_is_answered(value in proptest::collection::vec(any::<u8>(), 0..300)) {
            if let Ok(value) = HeaderValue::from_bytes(&value) {
                let mut headers = HeaderMap::new();
                headers.insert(IDEMPOTENCY_KEY, value);
                if let Ok(Some(key)) = IdempotencyKey::of(&headers) {
                    prop_assert!((1..=IdempotencyKey::BYTES_MAX).contains(&key.as_str().len()));
                }
            }
        }
    }
}
