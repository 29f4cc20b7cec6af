//! TLS: only to a server whose certificate comes from a known root.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use outbox_brokers::{Ordering, connect};
use outbox_test_harness::{NatsOptions, RedisOptions, RocketMqOptions, requirement};

use crate::engine::{GROUP, Member, spread};

/// A certificate of our own for the loopback, and its key, where a server of another user can read them.
pub struct Certificate {
    folder: tempfile::TempDir,
}

impl Certificate {
    pub fn new() -> Self {
        let made =
            rcgen::generate_simple_self_signed(["127.0.0.1".to_owned(), "localhost".to_owned()]).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let this = Self { folder };
        std::fs::write(this.certificate(), made.cert.pem()).unwrap();
        std::fs::write(this.key(), made.signing_key.serialize_pem()).unwrap();
        let open = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(this.folder.path(), open).unwrap();
        this
    }

    pub fn certificate(&self) -> PathBuf {
        self.folder.path().join("cert.pem")
    }

    pub fn key(&self) -> PathBuf {
        self.folder.path().join("key.pem")
    }
}

/// Whoever does not know the root is told so; whoever does connects, and what it publishes is taken.
pub async fn only_with_the_root(url: &str, certificate: &Certificate) {
    let stranger = connect(url).await.unwrap_err().to_string();
    assert!(stranger.contains("certificate"), "{stranger}");
    let sign = if url.contains('?') { '&' } else { '?' };
    let broker = connect(&format!("{url}{sign}ca={}", certificate.certificate().display()))
        .await
        .unwrap();
    broker.publisher().probe().await.unwrap();
}

#[tokio::test]
async fn nats() {
    let certificate = Certificate::new();
    let tls = format!(
        "tls {{ cert_file: {:?}, key_file: {:?} }}",
        certificate.certificate(),
        certificate.key()
    );
    let Some(server) = requirement::private_nats(&NatsOptions::new().configuration(&tls)) else {
        return;
    };
    only_with_the_root(&server.url().replace("nats://", "tls://"), &certificate).await;
}

#[tokio::test]
async fn redis() {
    // As an application does it, which has the choice.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let certificate = Certificate::new();
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let tls = RedisOptions::new()
        .setting("tls-port", port)
        .setting("tls-cert-file", certificate.certificate().display())
        .setting("tls-key-file", certificate.key().display())
        .setting("tls-ca-cert-file", certificate.certificate().display())
        .setting("tls-auth-clients", "no");
    let Some(_server) = requirement::private_redis(&tls) else {
        return;
    };
    only_with_the_root(&format!("rediss://127.0.0.1:{port}"), &certificate).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rocketmq() {
    let certificate = Certificate::new();
    let tls = RocketMqOptions::new().tls(&certificate.certificate(), &certificate.key());
    let Some(server) = requirement::private_rocketmq(&tls) else {
        return;
    };
    let plain = connect(&format!("{}?timeout=1s", server.url())).await;
    assert!(plain.is_err(), "it speaks without TLS");
    only_with_the_root(&format!("{}?tls=true", server.url()), &certificate).await;
    let known = format!("{}?ca={}", server.url(), certificate.certificate().display());
    let broker = connect(&known).await.unwrap();
    let mut member = Member::of(&*broker, GROUP, Ordering::PerKey).await;
    for answer in broker.publisher().publish(&spread(2, 20)).await {
        answer.unwrap();
    }
    assert_eq!(member.handle(40).await.len(), 40);
}

/// Kafka's client has OpenSSL only with `--cfg kafka_tls`: see CONTRIBUTING.md.
#[cfg(kafka_tls)]
mod kafka_tls {
    use outbox_brokers::Broker;
    use outbox_test_harness::KafkaOptions;

    use super::*;

    fn pem(file: PathBuf) -> String {
        std::fs::read_to_string(file).unwrap()
    }

    async fn publish_and_handle(broker: &dyn Broker) {
        let mut member = Member::of(broker, GROUP, Ordering::PerKey).await;
        for answer in broker.publisher().publish(&spread(2, 20)).await {
            answer.unwrap();
        }
        assert_eq!(member.handle(40).await.len(), 40);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn only_with_its_root() {
        let certificate = Certificate::new();
        let tls = KafkaOptions::new().tls(&pem(certificate.certificate()), &pem(certificate.key()));
        let Some(server) = requirement::private_kafka(&tls) else {
            return;
        };
        let plain = connect(&format!("{}?timeout=1s", server.url())).await;
        assert!(plain.is_err(), "it speaks without TLS");
        only_with_the_root(&format!("{}?tls=true&timeout=3s", server.url()), &certificate).await;
        let known = format!("{}?ca={}", server.url(), certificate.certificate().display());
        publish_and_handle(&*connect(&known).await.unwrap()).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn by_scram_over_tls() {
        let certificate = Certificate::new();
        let options = KafkaOptions::new()
            .tls(&pem(certificate.certificate()), &pem(certificate.key()))
            .sasl_scram("outbox", "s3cret");
        let Some(server) = requirement::private_kafka(&options) else {
            return;
        };
        let url = |who: &str| {
            let (url, root) = (server.url(), certificate.certificate());
            let url = url.replace("kafka://", &format!("kafka://{who}@"));
            format!("{url}?sasl=scram-sha-256&timeout=5s&ca={}", root.display())
        };
        let stranger = connect(&url("outbox:wr0ng")).await.unwrap_err().to_string();
        assert!(stranger.contains("uthentication"), "{stranger}");
        assert!(!stranger.contains("wr0ng"));
        publish_and_handle(&*connect(&url("outbox:s3cret")).await.unwrap()).await;
    }
}
