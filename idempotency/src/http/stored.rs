//! A response as it is kept in the ledger: a few lines of JSON with their length in front, then the body as it is.

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};

/// Set on a response that was given before.
pub const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// Bytes of the length in front.
const LENGTH: usize = 4;

/// A response that was given, or that one was given whose body is not kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StoredResponse {
    head: Head,
    body: Bytes,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Head {
    status: u16,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    headers: Vec<(String, String)>,
    /// Whether the body is here.
    kept: bool,
}

impl StoredResponse {
    /// Of the response's headers only those that are allowed.
    pub(super) fn new(status: StatusCode, headers: &HeaderMap, allowed: &[HeaderName], body: Bytes) -> Self {
        let headers = allowed
            .iter()
            .flat_map(|name| {
                let values = headers.get_all(name).iter();
                // One that is no text is left out: the answer must not fail for it.
                values.filter_map(move |value| Some((name.to_string(), value.to_str().ok()?.to_owned())))
            })
            .collect();
        Self {
            head: Head {
                status: status.as_u16(),
                headers,
                kept: true,
            },
            body,
        }
    }

    /// That there was a response which is too large to be kept.
    pub(super) fn not_kept(status: StatusCode) -> Self {
        Self {
            head: Head {
                status: status.as_u16(),
                headers: Vec::new(),
                kept: false,
            },
            body: Bytes::new(),
        }
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        // A struct of numbers and texts is always JSON, and its length is bounded by the headers of one response.
        let head = serde_json::to_vec(&self.head).unwrap_or_default();
        let length = u32::try_from(head.len()).unwrap_or(u32::MAX);
        let mut bytes = Vec::with_capacity(LENGTH + head.len() + self.body.len());
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(&head);
        bytes.extend_from_slice(&self.body);
        bytes
    }

    /// `None` for what no version of this library has written.
    pub(super) fn from_bytes(bytes: Vec<u8>) -> Option<Self> {
        let bytes = Bytes::from(bytes);
        let length = bytes.get(..LENGTH)?.try_into().ok()?;
        let end = LENGTH.checked_add(usize::try_from(u32::from_be_bytes(length)).ok()?)?;
        let head: Head = serde_json::from_slice(bytes.get(LENGTH..end)?).ok()?;
        StatusCode::from_u16(head.status).ok()?;
        Some(Self {
            head,
            body: bytes.slice(end..),
        })
    }

    /// Whether the body is here.
    pub(super) fn is_kept(&self) -> bool {
        self.head.kept
    }

    /// The response as it was, marked as one that was given before.
    pub(super) fn replay(self) -> Response {
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() = StatusCode::from_u16(self.head.status).unwrap_or(StatusCode::OK);
        for (name, value) in &self.head.headers {
            if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
                response.headers_mut().append(name, value);
            }
        }
        response
            .headers_mut()
            .insert(REPLAYED, HeaderValue::from_static("true"));
        response
    }
}

/// Whether an answer of this status is the answer for good. What only says "not now" is not kept, and what says that
/// something broke is rolled back, so that trying again does it.
pub(super) fn is_final(status: StatusCode) -> bool {
    let passing = [
        StatusCode::REQUEST_TIMEOUT,
        StatusCode::CONFLICT,
        StatusCode::TOO_EARLY,
        StatusCode::TOO_MANY_REQUESTS,
    ];
    (200..500).contains(&status.as_u16()) && !passing.contains(&status)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_kept_comes_back() {
        let mut headers = HeaderMap::new();
        headers.insert("location", HeaderValue::from_static("/orders/7"));
        headers.insert("set-cookie", HeaderValue::from_static("secret"));
        headers.append("link", HeaderValue::from_static("a"));
        headers.append("link", HeaderValue::from_static("b"));
        let allowed = [
            HeaderName::from_static("location"),
            HeaderName::from_static("link"),
        ];
        let stored = StoredResponse::new(
            StatusCode::CREATED,
            &headers,
            &allowed,
            Bytes::from_static(b"\0body"),
        );
        let read = StoredResponse::from_bytes(stored.to_bytes()).unwrap();
        assert_eq!(read, stored);
        assert!(read.is_kept());
        let response = read.replay();
        assert_eq!(response.status(), StatusCode::CREATED);
        assert_eq!(response.headers()["location"], "/orders/7");
        assert_eq!(response.headers()[REPLAYED], "true");
        assert_eq!(response.headers().get_all("link").iter().count(), 2);
        assert!(response.headers().get("set-cookie").is_none());
        let not_kept =
            StoredResponse::from_bytes(StoredResponse::not_kept(StatusCode::OK).to_bytes()).unwrap();
        assert!(!not_kept.is_kept());
    }

    #[test]
    fn only_an_answer_for_good_is_kept() {
        for (status, expected) in [
            (200, true),
            (201, true),
            (303, true),
            (404, true),
            (422, true),
            (100, false),
            (408, false),
            (409, false),
            (425, false),
            (429, false),
            (500, false),
            (503, false),
        ] {
            assert_eq!(
                is_final(StatusCode::from_u16(status).unwrap()),
                expected,
                "{status}"
            );
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = StoredResponse::from_bytes(bytes);
        }

        #[test]
        fn any_length_is_answered(length in any::<u32>(), rest in proptest::collection::vec(any::<u8>(), 0..50)) {
            let bytes = length.to_be_bytes().into_iter().chain(rest).collect();
            let _ = StoredResponse::from_bytes(bytes);
        }
    }
}
