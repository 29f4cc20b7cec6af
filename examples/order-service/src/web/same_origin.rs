//! A page of somebody else can send forms here in the name of whoever looks at it. Browsers say where a request comes from,
//! and no page can make them say something else.

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::http::Problem;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Lets requests of this page pass. 403: the others, and those that don't say where they come from.
pub(super) async fn only(request: Request, next: Next) -> Response {
    if is_own(request.headers()) {
        return next.run(request).await;
    }
    let detail =
        "Changes are taken from this page only. Programs use the API, which is told at /openapi.json.";
    Problem::new(StatusCode::FORBIDDEN, detail).into_response()
}

fn is_own(headers: &HeaderMap) -> bool {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = text(SEC_FETCH_SITE) {
        return site == "same-origin";
    }
    // Browsers tell the site only to servers that they trust, by TLS or on this machine; the origin they tell to all.
    let origin = text(header::ORIGIN).and_then(|origin| origin.split_once("://"));
    match (origin, text(header::HOST)) {
        (Some((_, origin)), Some(host)) => origin.eq_ignore_ascii_case(host),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(pairs: &[(&'static str, &'static str)]) -> bool {
        let header = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), value.parse().unwrap())
        };
        is_own(&pairs.iter().map(header).collect())
    }

    #[test]
    fn only_this_page_may_change_something() {
        assert!(from(&[("sec-fetch-site", "same-origin")]));
        assert!(from(&[("host", "shop:3000"), ("origin", "http://shop:3000")]));
        assert!(from(&[("host", "shop"), ("origin", "https://SHOP")]));
        assert!(!from(&[]));
        assert!(!from(&[("host", "shop")]));
        assert!(!from(&[("host", "shop"), ("origin", "null")]));
        assert!(!from(&[("host", "shop"), ("origin", "http://shop.evil")]));
        assert!(!from(&[("host", "shop:3000"), ("origin", "http://shop:4000")]));
        for site in ["cross-site", "same-site", "none"] {
            assert!(!from(&[
                ("sec-fetch-site", site),
                ("host", "shop"),
                ("origin", "http://shop")
            ]));
        }
    }
}
