use std::time::Duration;

use http::{HeaderName, Method, header};

/// How requests are made idempotent. Every setting has a default that suits a service.
#[derive(Debug, Clone)]
#[must_use = "settings do nothing until something is built with them"]
pub struct HttpSettings {
    pub(super) required: bool,
    pub(super) body_bytes: usize,
    pub(super) answer_bytes: usize,
    pub(super) headers: Vec<HeaderName>,
    pub(super) keep: Duration,
    pub(super) wait: Duration,
    pub(super) lease: Duration,
    pub(super) take_over: bool,
    pub(super) methods: Vec<Method>,
}

/// Headers that are never stored: they are of one caller, one connection or one moment.
const NEVER: [HeaderName; 12] = [
    header::SET_COOKIE,
    header::COOKIE,
    header::AUTHORIZATION,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::WWW_AUTHENTICATE,
    header::CONNECTION,
    header::TRANSFER_ENCODING,
    header::CONTENT_LENGTH,
    header::UPGRADE,
    header::TRAILER,
    header::DATE,
];

/// The longest that answers are kept.
const KEEP_MAX: Duration = Duration::from_secs(366 * 86_400);
/// The longest that a request waits for another one.
const WAIT_MAX: Duration = Duration::from_secs(60);
/// The largest body or answer.
const BYTES_MAX: usize = 64 * 1024 * 1024;

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            required: true,
            body_bytes: 1024 * 1024,
            answer_bytes: 1024 * 1024,
            headers: vec![
                header::CONTENT_TYPE,
                header::CONTENT_LANGUAGE,
                header::CONTENT_DISPOSITION,
                header::LOCATION,
                header::ETAG,
                header::LAST_MODIFIED,
                header::CACHE_CONTROL,
                header::LINK,
                header::RETRY_AFTER,
            ],
            keep: Duration::from_secs(24 * 3_600),
            wait: Duration::ZERO,
            lease: Duration::from_secs(30),
            take_over: false,
            methods: vec![Method::POST, Method::PATCH],
        }
    }
}

impl HttpSettings {
    /// The defaults named at each setting.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether a request without a key is refused (400), or carried out as it is, each time it comes. Default: refused.
    pub fn required(mut self, required: bool) -> Self {
        self.required = required;
        self
    }

    /// Most bytes of a request's body. Default: 1 MiB; at most 64 MiB.
    pub fn body_bytes(mut self, bytes: usize) -> Self {
        self.body_bytes = bytes;
        self
    }

    /// Most bytes of an answer that is kept. In the transactional form a larger one rolls back; the layer, whose handler has
    /// done its work by then, gives it once and only says later that it was given. Default: 1 MiB; at most 64 MiB.
    pub fn answer_bytes(mut self, bytes: usize) -> Self {
        self.answer_bytes = bytes;
        self
    }

    /// Keeps these headers of an answer in the place of the default ones (Content-Type, -Language and -Disposition,
    /// Location, ETag, Last-Modified, Cache-Control, Link, Retry-After). Some can't be kept, such as Set-Cookie.
    pub fn stored_headers(mut self, headers: impl IntoIterator<Item = HeaderName>) -> Self {
        self.headers = headers.into_iter().collect();
        self
    }

    /// How long an answer is given again; after that the key is free. Default: 24 hours; at most 366 days.
    pub fn keep(mut self, keep: Duration) -> Self {
        self.keep = keep;
        self
    }

    /// How long a request waits for the answer of the first one with its key, before it is told 409. Default: not at all;
    /// at most a minute.
    pub fn wait(mut self, wait: Duration) -> Self {
        self.wait = wait;
        self
    }

    /// Of the layer: how long after the last sign of life of a request's process its outcome is taken to be unknown.
    /// Default: 30 seconds; at least 1.
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease;
        self
    }

    /// Of the layer: whether a request whose outcome is unknown is carried out again. Only for handlers that are
    /// idempotent themselves: what the first one did is not undone. Default: no.
    pub fn take_over(mut self, yes: bool) -> Self {
        self.take_over = yes;
        self
    }

    /// Of the layer: which methods it looks at. Default: POST and PATCH; the others are idempotent or safe by themselves.
    pub fn methods(mut self, methods: impl IntoIterator<Item = Method>) -> Self {
        self.methods = methods.into_iter().collect();
        self
    }

    /// Checks that the settings can be.
    ///
    /// # Errors
    /// The first that can't, by name and with its value.
    pub fn check(&self) -> Result<(), HttpSettingsError> {
        let wrong = |setting, value, must| Err(HttpSettingsError::Setting { setting, value, must });
        for (setting, bytes) in [
            ("body_bytes", self.body_bytes),
            ("answer_bytes", self.answer_bytes),
        ] {
            if !(1..=BYTES_MAX).contains(&bytes) {
                return wrong(setting, bytes.to_string(), "be from 1 byte to 64 MiB");
            }
        }
        if self.keep.is_zero() || self.keep > KEEP_MAX {
            return wrong(
                "keep",
                format!("{:?}", self.keep),
                "be more than 0 and at most 366 days",
            );
        }
        if self.wait > WAIT_MAX {
            return wrong("wait", format!("{:?}", self.wait), "be at most 60s");
        }
        if self.lease < Duration::from_secs(1) || self.lease > self.keep {
            return wrong(
                "lease",
                format!("{:?}", self.lease),
                "be at least 1s and at most keep",
            );
        }
        match self.headers.iter().find(|name| NEVER.contains(name)) {
            Some(header) => Err(HttpSettingsError::Header {
                header: header.clone(),
            }),
            None => Ok(()),
        }
    }
}

/// A setting that can't be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HttpSettingsError {
    /// A value out of bounds.
    #[error("{setting} is {value}; it must {must}")]
    Setting {
        /// The setting.
        setting: &'static str,
        /// Its value.
        value: String,
        /// What it must be.
        must: &'static str,
    },
    /// A header that must not be given to somebody else, or at another time.
    #[error(
        "the header {header} can't be among those that are stored: it belongs to one caller, connection or moment"
    )]
    Header {
        /// The header.
        header: HeaderName,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_bad_setting_is_named_with_its_value() {
        assert_eq!(HttpSettings::new().check(), Ok(()));
        let refused = |settings: HttpSettings| settings.check().unwrap_err().to_string();
        let new = HttpSettings::new;
        assert!(refused(new().body_bytes(0)).starts_with("body_bytes is 0;"));
        assert!(refused(new().keep(Duration::ZERO)).starts_with("keep is 0ns;"));
        assert!(refused(new().wait(Duration::from_secs(61))).starts_with("wait is 61s;"));
        assert!(refused(new().lease(Duration::from_millis(9))).starts_with("lease is 9ms;"));
        assert!(refused(new().stored_headers([header::SET_COOKIE])).contains("set-cookie"));
    }
}
