//! How a private server is to be set up.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// It starts in two seconds; a busy machine takes its time.
const READY_WITHIN: Duration = Duration::from_secs(120);

/// Settings of a private server. Everything not named here is the server's own default, or small.
#[derive(Clone, Debug)]
pub struct RocketMqOptions {
    pub(crate) configuration: String,
    pub(crate) proxy: BTreeMap<String, String>,
    pub(crate) tls: Option<(PathBuf, PathBuf)>,
    pub(crate) archive: Option<PathBuf>,
    pub(crate) ready_within: Duration,
}

impl RocketMqOptions {
    /// One broker that makes topics of 8 queues and groups when somebody uses them, delays to 100 ms, asks after a transaction
    /// each second, and has written down what it has confirmed.
    pub fn new() -> Self {
        Self {
            configuration: String::new(),
            proxy: BTreeMap::new(),
            tls: None,
            archive: None,
            ready_within: READY_WITHIN,
        }
    }

    /// Lines of the broker's configuration file, as in `configuration("maxMessageSize=65536")`; they win over those of the
    /// harness. The broker passes over a name that it doesn't know, and over a value that is no number. Default: none.
    #[must_use]
    pub fn configuration(mut self, lines: &str) -> Self {
        self.configuration.push_str(lines);
        self.configuration.push('\n');
        self
    }

    /// A setting of the proxy (`rmq-proxy.json`), its value written in JSON, as in `proxy("maxMessageSize", "65536")` or
    /// `proxy("regionId", "\"here\"")`. Default: none.
    #[must_use]
    pub fn proxy(mut self, name: &str, value: &str) -> Self {
        self.proxy.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Clients have to sign their requests as this user, who may do everything, at the proxy and at the broker. Neither name nor
    /// password may have quotes. Default: anybody may do everything.
    #[must_use]
    pub fn user(self, name: &str, password: &str) -> Self {
        let provider = "org.apache.rocketmq.auth.authentication.provider";
        let user = format!(r#"{{"username":"{name}","password":"{password}"}}"#);
        let inner = format!(r#"{{"accessKey":"{name}","secretKey":"{password}"}}"#);
        let text = |value: &str| format!("\"{}\"", value.replace('"', "\\\""));
        self.configuration("authenticationEnabled=true")
            .configuration(&format!(
                "authenticationProvider={provider}.DefaultAuthenticationProvider"
            ))
            .configuration(&format!(
                "authenticationMetadataProvider={provider}.LocalAuthenticationMetadataProvider"
            ))
            .configuration(&format!("initAuthenticationUser={user}"))
            .configuration(&format!("innerClientAuthenticationCredentials={inner}"))
            .proxy("authenticationEnabled", "true")
            .proxy(
                "authenticationProvider",
                &text(&format!("{provider}.DefaultAuthenticationProvider")),
            )
            .proxy(
                "authenticationMetadataProvider",
                &text("org.apache.rocketmq.proxy.auth.ProxyAuthenticationMetadataProvider"),
            )
            .proxy("innerClientAuthenticationCredentials", &text(&inner))
    }

    /// Name server and broker speak with nobody but over TLS, with this certificate and its key (PKCS 8), both in PEM. Default: without.
    #[must_use]
    pub fn tls(mut self, certificate: &Path, key: &Path) -> Self {
        self.tls = Some((certificate.to_owned(), key.to_owned()));
        self
    }

    /// Writes the classes that were loaded to this file when it is stopped, for later starts. Default: not.
    #[must_use]
    pub fn archive_classes(mut self, file: &Path) -> Self {
        self.archive = Some(file.to_owned());
        self
    }

    /// How long a start may take. Default: 120 s.
    #[must_use]
    pub fn ready_within(mut self, limit: Duration) -> Self {
        self.ready_within = limit;
        self
    }
}

impl Default for RocketMqOptions {
    fn default() -> Self {
        Self::new()
    }
}
