//! A connection that is made again when it is lost.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use lapin::types::ShortString;
use lapin::uri::{AMQPAuthority, AMQPQueryString, AMQPScheme, AMQPUri, AMQPUserInfo};
use lapin::{Channel, Connection, ConnectionBuilder, ConnectionProperties};
use tokio::sync::Mutex;

use super::connect::Settings;
use crate::error::BrokerError;

/// The server's word for an end in order.
pub(super) const REPLY_SUCCESS: u16 = 200;

/// One connection, made when a channel is asked for, and again when it is lost. Channels don't come back: whoever has one asks for
/// another.
pub(super) struct Link {
    settings: Arc<Settings>,
    purpose: &'static str,
    state: Mutex<State>,
    /// How often connecting has failed: whoever waited meanwhile need not try as well.
    failures: AtomicU64,
}

#[derive(Default)]
struct State {
    connection: Option<Arc<Connection>>,
    failed: Option<BrokerError>,
    /// The host that is tried first: the last one that answered.
    first: usize,
}

impl Link {
    /// For a purpose that the server's list of connections shows. Connects later.
    pub(super) fn new(settings: Arc<Settings>, purpose: &'static str) -> Self {
        Self {
            settings,
            purpose,
            state: Mutex::default(),
            failures: AtomicU64::new(0),
        }
    }

    /// A new channel.
    pub(super) async fn channel(&self) -> Result<Channel, BrokerError> {
        let connection = self.connection().await?;
        match tokio::time::timeout(self.settings.timeout, connection.create_channel()).await {
            Ok(opened) => opened.map_err(BrokerError::server("opening a channel")),
            Err(_) => {
                // It is taken for lost before its heartbeat says so.
                self.discard(&connection).await;
                Err(no_answer("opening a channel", self.settings.timeout))
            }
        }
    }

    /// Whether the server takes nothing at the moment, because its memory or its disk is full.
    pub(super) async fn is_blocked(&self) -> bool {
        let state = self.state.lock().await;
        state
            .connection
            .as_ref()
            .is_some_and(|connection| connection.status().connected() && connection.status().blocked())
    }

    /// Ends the connection, with everything on it.
    pub(super) async fn close(&self) {
        if let Some(connection) = self.state.lock().await.connection.take() {
            let close = connection.close(REPLY_SUCCESS, ShortString::from("OK"));
            // One that is lost already is closed as well.
            let _ = tokio::time::timeout(self.settings.timeout, close).await;
        }
    }

    async fn connection(&self) -> Result<Arc<Connection>, BrokerError> {
        let failures = self.failures.load(Ordering::Acquire);
        let mut state = self.state.lock().await;
        if let Some(connection) = &state.connection
            && connection.status().connected()
        {
            return Ok(Arc::clone(connection));
        }
        state.connection = None;
        if self.failures.load(Ordering::Acquire) != failures
            && let Some(error) = &state.failed
        {
            return Err(error.clone());
        }
        match self.connect(&mut state.first).await {
            Ok(connection) => {
                let connection = Arc::new(connection);
                state.connection = Some(Arc::clone(&connection));
                Ok(connection)
            }
            Err(error) => {
                self.failures.fetch_add(1, Ordering::Release);
                state.failed = Some(error.clone());
                Err(error)
            }
        }
    }

    async fn discard(&self, lost: &Arc<Connection>) {
        let mut state = self.state.lock().await;
        if state
            .connection
            .as_ref()
            .is_some_and(|connection| Arc::ptr_eq(connection, lost))
        {
            state.connection = None;
        }
    }

    /// Tries each host once.
    async fn connect(&self, first: &mut usize) -> Result<Connection, BrokerError> {
        let hosts = &self.settings.hosts;
        let mut failed = no_answer("connecting", self.settings.timeout);
        for n in (0..hosts.len()).map(|n| (*first + n) % hosts.len()) {
            let Some((host, port)) = hosts.get(n) else {
                continue;
            };
            match tokio::time::timeout(self.settings.timeout, self.connect_to(host, *port)).await {
                Ok(Ok(connection)) => {
                    *first = n;
                    return Ok(connection);
                }
                Ok(Err(error)) => failed = BrokerError::server("connecting")(error),
                Err(_) => failed = no_answer("connecting", self.settings.timeout),
            }
        }
        Err(failed)
    }

    async fn connect_to(&self, host: &str, port: u16) -> lapin::Result<Connection> {
        let settings = &self.settings;
        let uri = AMQPUri {
            scheme: if settings.tls {
                AMQPScheme::AMQPS
            } else {
                AMQPScheme::AMQP
            },
            authority: AMQPAuthority {
                userinfo: AMQPUserInfo {
                    username: settings.user.clone(),
                    password: settings.password.clone(),
                },
                host: host.to_owned(),
                port,
            },
            vhost: settings.vhost.clone(),
            query: AMQPQueryString {
                heartbeat: Some(settings.heartbeat),
                ..AMQPQueryString::default()
            },
        };
        let name = format!("outbox {}", self.purpose);
        ConnectionBuilder::new()?
            .with_uri(uri)
            .with_properties(ConnectionProperties::default().with_connection_name(name.into()))
            .with_tls_config(settings.tls_config())
            .connect()
            .await
    }
}

/// Nothing was heard for so long.
pub(super) fn no_answer(doing: &'static str, waited: Duration) -> BrokerError {
    BrokerError::Server {
        doing,
        message: format!("the server did not answer within {waited:?}"),
        source: None,
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link")
            .field("purpose", &self.purpose)
            .finish_non_exhaustive()
    }
}
