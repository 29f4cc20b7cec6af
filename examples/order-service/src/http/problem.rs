//! Errors as RFC 9457 "problem details".

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use outbox_sqlx::OutboxError;
use serde::Serialize;
use utoipa::ToSchema;

use crate::store_error::StoreError;

/// What went wrong, for programs (`status`, `errors`) and for people (`detail`).
///
/// The type is left at its default, `about:blank`: the status says what kind of problem it is (RFC 9457, 4.2.1).
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Problem {
    /// The kind of problem, in words.
    #[schema(value_type = String)]
    title: &'static str,
    /// The status, again.
    status: u16,
    /// What is the matter, for people.
    detail: String,
    /// What is wrong with the body, all of it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldError>,
}

/// One thing that is wrong with the body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// Where: a JSON pointer (RFC 6901) into the body; empty for the body as a whole.
    pub pointer: String,
    /// What.
    pub detail: String,
}

impl FieldError {
    /// An error at this place of the body.
    pub fn new(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            pointer: pointer.into(),
            detail: detail.into(),
        }
    }
}

impl Problem {
    /// A problem of this status.
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self {
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            detail: detail.into(),
            errors: Vec::new(),
        }
    }

    /// The kind of problem, in words.
    pub fn title(&self) -> &'static str {
        self.title
    }

    /// The kind of problem, for programs.
    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// What is the matter, for people.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// Something went wrong on our side. What exactly is for the log and not for strangers.
    pub fn internal(error: &(dyn std::error::Error + 'static)) -> Self {
        tracing::error!(error, "a request failed");
        let detail = "Something went wrong on our side.";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, detail)
    }

    /// A body that is JSON, and not what is asked for: 422, with all errors and not just the first.
    pub fn invalid(errors: Vec<FieldError>) -> Self {
        let places: Vec<_> = errors
            .iter()
            .map(|error| format!("{} {}", error.pointer, error.detail).trim().to_owned())
            .collect();
        Self {
            errors,
            ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, places.join("; "))
        }
    }
}

/// The database said no. What exactly is for the log and not for strangers.
impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        if let StoreError::Outbox(
            refused @ (OutboxError::NoLetter { .. }
            | OutboxError::KeyParked { .. }
            | OutboxError::ReasonEmpty
            | OutboxError::ReasonTooLong { .. }
            | OutboxError::UnknownGroup { .. }),
        ) = &error
        {
            return Self::new(StatusCode::CONFLICT, format!("{refused}."));
        }
        tracing::error!(error = &error as &dyn std::error::Error, "a request failed");
        if error.is_outcome_unknown() {
            return Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "The database did not answer in time: the request may or may not have been carried out. Look before \
                 you send it again.",
            );
        }
        if error.is_retryable() {
            // It can't be reached, or what others were doing to the same rows was in the way (a deadlock, a lock timeout).
            let detail = "The database can't do this at the moment; nothing was changed. Try again later.";
            return Self::new(StatusCode::SERVICE_UNAVAILABLE, detail);
        }
        let detail = "Something went wrong on our side; nothing was changed.";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, detail)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = (self.status(), Json(self)).into_response();
        let media_type = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, media_type);
        response
    }
}
