//! How a private server is to be set up.

use std::path::{Path, PathBuf};
use std::time::Duration;

/// It starts in one to two seconds; a busy machine takes its time.
const READY_WITHIN: Duration = Duration::from_secs(120);

/// Settings of a private server. Everything not named here is the server's own default, or small.
#[derive(Clone, Debug)]
pub struct KafkaOptions {
    pub(crate) configuration: String,
    pub(crate) sasl: bool,
    pub(crate) tls: bool,
    /// A user that is made with the server.
    pub(crate) scram: Option<(String, String)>,
    pub(crate) second_way: bool,
    pub(crate) archive: Option<PathBuf>,
    pub(crate) ready_within: Duration,
}

impl KafkaOptions {
    /// One node for everything, with topics of one replica that nobody makes by publishing to them.
    pub fn new() -> Self {
        Self {
            configuration: String::new(),
            sasl: false,
            tls: false,
            scram: None,
            second_way: false,
            archive: None,
            ready_within: READY_WITHIN,
        }
    }

    /// Lines of its configuration file, as in `configuration("message.max.bytes=65536")`. Default: none.
    #[must_use]
    pub fn configuration(mut self, lines: &str) -> Self {
        self.configuration.push_str(lines);
        self.configuration.push('\n');
        self
    }

    /// Clients have to say who they are, by SASL/PLAIN. Default: anybody may do everything.
    #[must_use]
    pub fn sasl_plain(mut self, user: &str, password: &str) -> Self {
        self.sasl = true;
        let module = "org.apache.kafka.common.security.plain.PlainLoginModule";
        self.configuration(&format!(
            "sasl.enabled.mechanisms=PLAIN\n\
             sasl.mechanism.inter.broker.protocol=PLAIN\n\
             listener.name.client.plain.sasl.jaas.config={module} required \
             username=\"{user}\" password=\"{password}\" user_{user}=\"{password}\";"
        ))
    }

    /// Clients have to say who they are, by SASL/SCRAM-SHA-256. Neither name nor password may have quotes or brackets. Default: anybody
    /// may do everything.
    #[must_use]
    pub fn sasl_scram(mut self, user: &str, password: &str) -> Self {
        self.sasl = true;
        self.scram = Some((user.to_owned(), password.to_owned()));
        let module = "org.apache.kafka.common.security.scram.ScramLoginModule";
        self.configuration(&format!(
            "sasl.enabled.mechanisms=SCRAM-SHA-256\n\
             sasl.mechanism.inter.broker.protocol=SCRAM-SHA-256\n\
             listener.name.client.scram-sha-256.sasl.jaas.config={module} required \
             username=\"{user}\" password=\"{password}\";"
        ))
    }

    /// Clients have to speak TLS. The certificate and its key (PKCS 8) are texts in PEM; it has to be for the loopback, and its own root.
    /// Default: without.
    #[must_use]
    pub fn tls(mut self, certificate: &str, key: &str) -> Self {
        self.tls = true;
        // One line each, as a file of properties has it.
        let value = |pem: &str| pem.trim_end().replace('\n', "\\n");
        let (certificate, key) = (value(certificate), value(key));
        self.configuration(&format!(
            "ssl.keystore.type=PEM\n\
             ssl.keystore.certificate.chain={certificate}\n\
             ssl.keystore.key={key}\n\
             ssl.truststore.type=PEM\n\
             ssl.truststore.certificates={certificate}"
        ))
    }

    /// What clients speak, in Kafka's words.
    pub(crate) fn security(&self) -> &'static str {
        match (self.tls, self.sasl) {
            (false, false) => "PLAINTEXT",
            (false, true) => "SASL_PLAINTEXT",
            (true, false) => "SSL",
            (true, true) => "SASL_SSL",
        }
    }

    /// It listens on a second port as well, and tells those who come that way to go on by a third one, where a test has to listen
    /// and pass everything on. Default: it doesn't. See [`Kafka::second_way`](super::Kafka::second_way).
    #[must_use]
    pub fn second_way(mut self) -> Self {
        self.second_way = true;
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

impl Default for KafkaOptions {
    fn default() -> Self {
        Self::new()
    }
}
