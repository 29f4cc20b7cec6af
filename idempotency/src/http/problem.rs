//! Refusals as RFC 9457 "problem details".

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;

use super::key::KeyError;

/// Why a request was not carried out, or its answer not given. The member `code` tells programs which; the type is left at
/// its default, `about:blank` (RFC 9457, section 4.2.1). Nothing in it is of another request.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// 400: the header is required.
    KeyMissing,
    /// 400: the header can't be a key.
    KeyInvalid(KeyError),
    /// 413: more than is read.
    BodyTooLarge {
        /// The limit, in bytes.
        max: usize,
    },
    /// 400: the body broke off.
    BodyUnreadable,
    /// 422: the key came with another request before.
    KeyReused,
    /// 409: the first request with this key is being carried out.
    InFlight,
    /// 409: the first request with this key began and its end was never heard of.
    OutcomeUnknown,
    /// 409: the first request was carried out, and its answer was too large to be kept.
    AnswerNotKept,
    /// 500: the answer is too large to be kept, so nothing was done.
    AnswerTooLarge {
        /// The limit, in bytes.
        max: usize,
    },
    /// 500: the handler panicked; nothing was done.
    Broken,
    /// 503: the ledger can't be reached; nothing was done.
    Unavailable,
    /// 503: COMMIT was not answered: it was done or not. Asking again tells.
    CommitUnknown,
}

#[derive(Serialize)]
struct Details<'a> {
    title: &'a str,
    status: u16,
    detail: &'a str,
    code: &'a str,
}

impl Refusal {
    /// The status it is answered with.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::KeyMissing | Self::KeyInvalid(_) | Self::BodyUnreadable => StatusCode::BAD_REQUEST,
            Self::BodyTooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::KeyReused => StatusCode::UNPROCESSABLE_ENTITY,
            Self::InFlight | Self::OutcomeUnknown | Self::AnswerNotKept => StatusCode::CONFLICT,
            Self::AnswerTooLarge { .. } | Self::Broken => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Unavailable | Self::CommitUnknown => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The member `code` of the body.
    pub fn code(&self) -> &'static str {
        match self {
            Self::KeyMissing => "idempotency-key-missing",
            Self::KeyInvalid(_) => "idempotency-key-invalid",
            Self::BodyTooLarge { .. } => "body-too-large",
            Self::BodyUnreadable => "body-unreadable",
            Self::KeyReused => "idempotency-key-reused",
            Self::InFlight => "request-in-flight",
            Self::OutcomeUnknown => "outcome-unknown",
            Self::AnswerNotKept => "answer-not-kept",
            Self::AnswerTooLarge { .. } => "answer-too-large",
            Self::Broken => "internal-error",
            Self::Unavailable => "ledger-unavailable",
            Self::CommitUnknown => "commit-unknown",
        }
    }

    fn detail(&self) -> String {
        match self {
            Self::KeyMissing => "This request needs an Idempotency-Key header: make one up for each thing you want done, and send it again with each retry.".into(),
            Self::KeyInvalid(error) => format!("{}.", capitalised(&error.to_string())),
            Self::BodyTooLarge { max } => format!("The body is too large: at most {max} bytes are allowed."),
            Self::BodyUnreadable => "The body could not be read to its end.".into(),
            Self::KeyReused => "This Idempotency-Key came with another request before. Use a new key for a new request.".into(),
            Self::InFlight => "The first request with this Idempotency-Key is still being carried out. Ask again in a moment.".into(),
            Self::OutcomeUnknown => "The first request with this Idempotency-Key began, and whether it was carried out is not known. It is not tried again; find out what became of it before using a new key.".into(),
            Self::AnswerNotKept => "The first request with this Idempotency-Key was carried out; its answer was too large to be kept.".into(),
            Self::AnswerTooLarge { max } => format!("The answer is larger than {max} bytes and could not be given again, so nothing was done."),
            Self::Broken => "Something broke, and nothing was done.".into(),
            Self::Unavailable => "The database can't be reached or is busy; nothing was done. Try again with the same key.".into(),
            Self::CommitUnknown => "The connection to the database was lost at the last moment, so whether it was done is not known here. Ask again with the same key to learn it.".into(),
        }
    }

    /// Seconds after which to ask again, where that may help.
    fn retry_after(&self) -> Option<&'static str> {
        matches!(self, Self::InFlight | Self::Unavailable | Self::CommitUnknown).then_some("1")
    }
}

fn capitalised(text: &str) -> String {
    let mut characters = text.chars();
    match characters.next() {
        Some(first) => first.to_uppercase().chain(characters).collect(),
        None => String::new(),
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, detail) = (self.status(), self.detail());
        let details = Details {
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            detail: &detail,
            code: self.code(),
        };
        let mut response = Response::new(Body::from(serde_json::to_vec(&details).unwrap_or_default()));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if let Some(seconds) = self.retry_after() {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static(seconds));
        }
        response
    }
}
