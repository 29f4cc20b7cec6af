use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::limits::Limits;
use crate::message::MessageError;

/// A message's headers: names in lower case, values without control characters.
///
/// Unknown headers are kept and handed on as they are: a header that this version does not know may
/// mean something to the next one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Headers(BTreeMap<String, String>);

impl Headers {
    /// The payload's media type. Absent means [`Headers::DEFAULT_CONTENT_TYPE`].
    pub const CONTENT_TYPE: &'static str = "content-type";
    /// The media type of a payload that does not name one.
    pub const DEFAULT_CONTENT_TYPE: &'static str = "application/json";
    /// W3C trace context of the span that created the message.
    pub const TRACEPARENT: &'static str = "traceparent";
    /// W3C trace state that belongs to the trace parent.
    pub const TRACESTATE: &'static str = "tracestate";
    /// The topic for confirmations. This one and those that follow are told in [`confirmation`](crate::confirmation).
    pub const CONFIRM_TO: &'static str = "confirm-to";
    /// The consumer groups that are asked to confirm, divided by commas.
    pub const CONFIRM_BY: &'static str = "confirm-by";
    /// How many of these groups are enough.
    pub const CONFIRM_AT_LEAST: &'static str = "confirm-at-least";
    /// Milliseconds from a delivery to its deadline.
    pub const CONFIRM_WITHIN_MS: &'static str = "confirm-within-ms";
    /// How often the message is sent again at most.
    pub const CONFIRM_RESENDS: &'static str = "confirm-resends";
    /// How often the message was sent again; written by its sender's sweep alone.
    pub const CONFIRM_RESENT: &'static str = "confirm-resent";
    /// When it was first delivered, in microseconds since 1970; written by its sender's sweep alone.
    pub const CONFIRM_SINCE: &'static str = "confirm-since";

    /// No headers.
    pub const fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// The value of `name`, which is compared in lower case.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .get(name)
            .or_else(|| self.0.get(&name.to_ascii_lowercase()))
            .map(String::as_str)
    }

    /// The value of a name that is in lower case already: one look, whether it is there or not.
    pub(crate) fn get_lower(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Sets `name` (put in lower case) to `value`, and returns the value it had.
    pub fn insert(&mut self, name: &str, value: impl Into<String>) -> Option<String> {
        self.0.insert(name.to_ascii_lowercase(), value.into())
    }

    /// Takes `name` away.
    pub fn remove(&mut self, name: &str) -> Option<String> {
        self.0.remove(&name.to_ascii_lowercase())
    }

    /// All headers by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Bytes of all names and values.
    pub fn bytes(&self) -> usize {
        self.0.iter().map(|(name, value)| name.len() + value.len()).sum()
    }

    /// The JSON object that is stored in the outbox.
    pub fn to_json(&self) -> String {
        if self.0.is_empty() {
            return "{}".to_owned();
        }
        let object: serde_json::Map<_, _> = self
            .0
            .iter()
            .map(|(name, value)| (name.clone(), value.clone().into()))
            .collect();
        serde_json::Value::Object(object).to_string()
    }

    /// Reads what any program may have put into the column: a JSON object whose values are strings,
    /// numbers, booleans or null (null means that the header is absent).
    ///
    /// # Errors
    /// Text that is no such object. Nested values are refused, because no broker has nested headers.
    pub fn from_json(text: &str) -> Result<Self, MessageError> {
        if text == "{}" {
            return Ok(Self::new());
        }
        let object: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(text).map_err(|error| MessageError::HeadersNotAnObject {
                reason: error.to_string(),
            })?;
        let mut headers = BTreeMap::new();
        for (name, value) in object {
            use serde_json::Value;
            let value = match value {
                Value::Null => continue,
                Value::String(text) => text,
                scalar @ (Value::Bool(_) | Value::Number(_)) => scalar.to_string(),
                Value::Array(_) | Value::Object(_) => return Err(MessageError::HeaderInvalid { name }),
            };
            headers.insert(name.to_ascii_lowercase(), value);
        }
        Ok(Self(headers))
    }

    /// Names are 1 to 128 bytes of ASCII letters, digits, `-`, `_` and `.`; values hold no control
    /// characters (a line break in a header is how one is smuggled into another protocol).
    pub(crate) fn check(&self, limits: &Limits) -> Result<(), MessageError> {
        if self.0.is_empty() {
            return Ok(());
        }
        if self.0.len() > limits.headers_count {
            return Err(MessageError::TooManyHeaders {
                count: self.0.len(),
                max: limits.headers_count,
            });
        }
        let bytes = self.bytes();
        if bytes > limits.headers_bytes {
            return Err(MessageError::HeadersTooLarge {
                bytes,
                max: limits.headers_bytes,
            });
        }
        for (name, value) in &self.0 {
            let name_ok = !name.is_empty()
                && name.len() <= Limits::HEADER_NAME_BYTES
                && name
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
            if !name_ok || value.chars().any(char::is_control) {
                return Err(MessageError::HeaderInvalid {
                    name: name.escape_debug().to_string(),
                });
            }
        }
        Ok(())
    }
}

impl<N: AsRef<str>, V: Into<String>> FromIterator<(N, V)> for Headers {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        let mut headers = Self::new();
        for (name, value) in pairs {
            headers.insert(name.as_ref(), value);
        }
        headers
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn scalars_of_foreign_writers_become_text_and_nesting_is_refused() {
        let headers = Headers::from_json(r#"{"A":1,"b":true,"c":null,"d":"x"}"#).unwrap();
        assert_eq!(
            headers.iter().collect::<Vec<_>>(),
            [("a", "1"), ("b", "true"), ("d", "x")]
        );
        assert_eq!(
            Headers::from_json(r#"{"a":{"b":1}}"#),
            Err(MessageError::HeaderInvalid { name: "a".into() })
        );
        assert!(matches!(
            Headers::from_json("[1]"),
            Err(MessageError::HeadersNotAnObject { .. })
        ));
    }

    proptest! {
        #[test]
        fn any_text_is_answered(text in ".*") {
            let _ = Headers::from_json(&text);
        }

        #[test]
        fn written_headers_read_back(pairs in proptest::collection::btree_map("[a-z][a-z0-9-]{0,8}", ".*", 0..5)) {
            let headers: Headers = pairs.into_iter().collect();
            prop_assert_eq!(Headers::from_json(&headers.to_json()), Ok(headers));
        }
    }
}
