use axum::body::Body;
use bytes::Bytes;
use http::Request;

use super::body::{Collected, collect};
use super::fingerprint::{of_request, scope_of};
use super::key::IdempotencyKey;
use super::problem::Refusal;
use super::settings::HttpSettings;
use crate::ledger::Fingerprint;

/// What a request is known by in the ledger.
#[derive(Debug, Clone)]
pub(super) struct Identity {
    pub(super) scope: String,
    pub(super) key: String,
    pub(super) fingerprint: Fingerprint,
}

/// The request with its body read, and what it is known by; nothing where it has no key and needs none.
pub(super) async fn read(
    settings: &HttpSettings,
    caller: &str,
    request: Request<Body>,
) -> Result<(Request<Bytes>, Option<Identity>), Refusal> {
    let key = IdempotencyKey::of(request.headers()).map_err(Refusal::KeyInvalid)?;
    if key.is_none() && settings.required {
        return Err(Refusal::KeyMissing);
    }
    let (parts, body) = request.into_parts();
    let max = settings.body_bytes;
    let body = match collect(body, max).await {
        Ok(Collected::Whole(body)) => body,
        Ok(Collected::Longer(..)) => return Err(Refusal::BodyTooLarge { max }),
        Err(_) => return Err(Refusal::BodyUnreadable),
    };
    let identity = key.map(|key| Identity {
        scope: scope_of(caller),
        key: key.as_str().to_owned(),
        fingerprint: of_request(&parts.method, &parts.uri, &body),
    });
    Ok((Request::from_parts(parts, body), identity))
}
