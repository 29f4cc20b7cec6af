//! Files that the page is served with. They are part of the program, and nothing is fetched from elsewhere.

use axum::Router;
use axum::http::{HeaderName, header};
use axum::routing::get;

/// A file.
pub(super) struct Asset {
    path: &'static str,
    content_type: &'static str,
    content: &'static str,
    /// A hash of the content.
    version: u64,
}

/// For a year: the address changes with the content.
const CACHE_CONTROL: &str = "public, max-age=31536000, immutable";

const SCRIPT: &str = "text/javascript; charset=utf-8";

macro_rules! asset {
    ($file:literal, $content_type:expr) => {
        Asset {
            path: concat!("/ui/assets/", $file),
            content_type: $content_type,
            content: include_str!(concat!("../../assets/", $file)),
            version: fnv1a(include_bytes!(concat!("../../assets/", $file))),
        }
    };
}

pub(super) const HTMX: Asset = asset!("htmx-2.0.11.min.js", SCRIPT);
pub(super) const HTMX_SSE: Asset = asset!("htmx-ext-sse-2.2.4.min.js", SCRIPT);
pub(super) const IDIOMORPH: Asset = asset!("idiomorph-ext-0.8.0.min.js", SCRIPT);
pub(super) const PAGE_JS: Asset = asset!("page.js", SCRIPT);
pub(super) const PAGE_CSS: Asset = asset!("page.css", "text/css; charset=utf-8");
pub(super) const ICON: Asset = asset!("icon.svg", "image/svg+xml");

impl Asset {
    /// Its address, with a hash of its content.
    pub(super) fn url(&self) -> String {
        format!("{}?v={:016x}", self.path, self.version)
    }
}

/// The routes of the files.
pub(super) fn routes() -> Router {
    let assets = [HTMX, HTMX_SSE, IDIOMORPH, PAGE_JS, PAGE_CSS, ICON];
    assets.into_iter().fold(Router::new(), |router, asset| {
        let headers: [(HeaderName, &str); 2] = [
            (header::CONTENT_TYPE, asset.content_type),
            (header::CACHE_CONTROL, CACHE_CONTROL),
        ];
        router.route(asset.path, get(move || async move { (headers, asset.content) }))
    })
}

/// FNV-1a: nobody attacks it here. Computed when the program is compiled.
const fn fnv1a(bytes: &[u8]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut index = 0;
    while index < bytes.len() {
        hash = (hash ^ bytes[index] as u64).wrapping_mul(0x0100_0000_01b3);
        index += 1;
    }
    hash
}
