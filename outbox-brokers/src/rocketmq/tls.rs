//! TLS under a connection. RocketMQ's servers speak it at the port at which they speak without it.

use std::io;
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::common::TlsFiles;
use crate::error::BrokerError;

#[derive(Clone)]
pub(super) struct Tls(TlsConnector);

impl Tls {
    /// With the roots of these files, or of the system; and as who they say.
    pub(super) async fn new(files: &TlsFiles) -> Result<Self, BrokerError> {
        let files = files.clone();
        let read = tokio::task::spawn_blocking(move || Self::read(&files)).await;
        read.unwrap_or_else(|error| Err(BrokerError::server("preparing TLS")(error)))
    }

    fn read(files: &TlsFiles) -> Result<Self, BrokerError> {
        let mut roots = RootCertStore::empty();
        match &files.roots {
            Some(path) => {
                const DOING: &str = "reading the root certificates";
                for root in CertificateDer::pem_file_iter(path).map_err(BrokerError::server(DOING))? {
                    let root = root.map_err(BrokerError::server(DOING))?;
                    roots.add(root).map_err(BrokerError::server(DOING))?;
                }
            }
            None => {
                let found = rustls_native_certs::load_native_certs();
                for error in found.errors {
                    tracing::warn!(%error, "certificates of the system that can't be read");
                }
                roots.add_parsable_certificates(found.certs);
            }
        }
        // What the application has installed, if it has: two providers in one program don't go together.
        let provider = CryptoProvider::get_default().cloned();
        let provider = provider.unwrap_or_else(|| Arc::new(ring::default_provider()));
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(BrokerError::server("preparing TLS"))?
            .with_root_certificates(roots);
        let config = match (&files.certificate, &files.key) {
            (Some(certificate), Some(key)) => {
                const DOING: &str = "reading the client's certificate";
                let chain = CertificateDer::pem_file_iter(certificate)
                    .and_then(Iterator::collect)
                    .map_err(BrokerError::server(DOING))?;
                let key = PrivateKeyDer::from_pem_file(key).map_err(BrokerError::server(DOING))?;
                config
                    .with_client_auth_cert(chain, key)
                    .map_err(BrokerError::server(DOING))?
            }
            _ => config.with_no_client_auth(),
        };
        Ok(Self(TlsConnector::from(Arc::new(config))))
    }

    /// The server has to prove that it is the one at `address`, a name or an IP address and a port.
    pub(super) async fn over(&self, stream: TcpStream, address: &str) -> io::Result<TlsStream<TcpStream>> {
        let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let name = ServerName::try_from(host.to_owned())
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        self.0.connect(name, stream).await
    }
}
