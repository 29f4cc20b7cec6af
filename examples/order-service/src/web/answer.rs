//! How the page answers: with a whole page, or with the part that htmx asked for.

use askama::Template;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use uuid::Uuid;

use super::assets;
use crate::http::Problem;
use crate::ids::OrderId;

const HX_REQUEST: HeaderName = HeaderName::from_static("hx-request");
const HX_TRIGGER: HeaderName = HeaderName::from_static("hx-trigger");

/// Whether it is htmx that asks, and not a browser without scripts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Htmx(bool);

impl<S: Send + Sync> FromRequestParts<S> for Htmx {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Self::Rejection> {
        Ok(Self(parts.headers.contains_key(HX_REQUEST)))
    }
}

/// What all pages have in their head.
pub(super) struct Head {
    pub(super) title: String,
    pub(super) scripts: [String; 4],
    pub(super) styles: String,
    pub(super) icon: String,
}

impl Head {
    pub(super) fn new(title: impl Into<String>) -> Self {
        let scripts = [assets::HTMX, assets::HTMX_SSE, assets::IDIOMORPH, assets::PAGE_JS];
        Self {
            title: title.into(),
            scripts: scripts.map(|script| script.url()),
            styles: assets::PAGE_CSS.url(),
            icon: assets::ICON.url(),
        }
    }
}

/// A key for a form that must not be carried out twice.
pub(super) fn new_key() -> String {
    Uuid::new_v4().to_string()
}

/// A change that was made.
pub(super) struct Done {
    said: String,
    order: Option<OrderId>,
    /// The page to go back to, without scripts.
    back: String,
    /// Whether the form for orders needs another key.
    new_key: bool,
}

impl Done {
    /// Says so, on the first page.
    pub(super) fn new(said: impl Into<String>) -> Self {
        Self {
            said: said.into(),
            order: None,
            back: "/".to_owned(),
            new_key: false,
        }
    }

    /// An order was placed.
    pub(super) fn placed(order: OrderId) -> Self {
        Self {
            order: Some(order),
            back: format!("/ui/orders/{order}"),
            new_key: true,
            ..Self::new("The order is placed.")
        }
    }

    /// Says so, on the page of the order.
    pub(super) fn at(order: OrderId, said: impl Into<String>) -> Self {
        Self {
            back: format!("/ui/orders/{order}"),
            ..Self::new(said)
        }
    }
}

#[derive(Template)]
#[template(path = "notice.html")]
struct Notice {
    said: String,
    order: Option<OrderId>,
    key: Option<String>,
    is_problem: bool,
}

#[derive(Template)]
#[template(path = "problem.html")]
struct ProblemPage {
    head: Head,
    title: String,
    detail: String,
}

/// Answers a form. htmx shows what is said, and lets the page look again; without scripts the browser goes to the page.
pub(super) fn form(htmx: Htmx, outcome: Result<Done, Problem>) -> Response {
    let done = match outcome {
        Ok(done) => done,
        Err(problem) => return refused(htmx, &problem),
    };
    if !htmx.0 {
        return Redirect::to(&done.back).into_response();
    }
    let notice = Notice {
        said: done.said,
        order: done.order,
        key: done.new_key.then(new_key),
        is_problem: false,
    };
    ([(HX_TRIGGER, "refresh")], html(StatusCode::OK, &notice)).into_response()
}

/// Says what is the matter, in words.
pub(super) fn refused(htmx: Htmx, problem: &Problem) -> Response {
    if htmx.0 {
        let notice = Notice {
            said: problem.detail().to_owned(),
            order: None,
            key: None,
            is_problem: true,
        };
        return ([(HX_TRIGGER, "refresh")], html(problem.status(), &notice)).into_response();
    }
    let page = ProblemPage {
        head: Head::new(problem.title()),
        title: problem.title().to_owned(),
        detail: problem.detail().to_owned(),
    };
    html(problem.status(), &page)
}

/// A page, or a part of one. Never kept by anybody: the next moment it is another.
pub(super) fn html(status: StatusCode, template: &impl Template) -> Response {
    match template.render() {
        Ok(text) => (status, [(header::CACHE_CONTROL, "no-store")], Html(text)).into_response(),
        Err(error) => Problem::internal(&error).into_response(),
    }
}
