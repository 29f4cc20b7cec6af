//! Connects to one server, to a cluster, or to the master that sentinels name.

use std::fmt;
use std::time::Duration;

use futures_util::future::join_all;
use redis::aio::MultiplexedConnection;
use redis::cluster::ClusterClientBuilder;
use redis::cluster_async::ClusterConnection;
use redis::sentinel::{SentinelClientBuilder, SentinelServerType};
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionAddr, ConnectionInfo, ErrorKind, IntoConnectionInfo,
    Pipeline, RedisConnectionInfo, RedisError, RedisResult, TlsMode,
};

use crate::lock::redis::url::{Kind, RedisUrl};

/// How often a cluster's client follows a key that moved, or asks again, within the time of one call.
const CLUSTER_RETRIES: u32 = 3;

/// User and password; the user may be left out.
#[derive(Clone)]
pub(super) struct Login {
    pub(super) user: Option<String>,
    pub(super) password: String,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login")
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

/// Where to connect to, and how long that may take.
#[derive(Clone, Debug)]
pub(super) struct Server {
    pub(super) url: RedisUrl,
    /// What sentinels ask for, if they do: it need not be what their master asks for.
    pub(super) sentinel_login: Option<Login>,
    pub(super) connect_within: Duration,
}

/// What a GET holds besides the name.
const GET_BYTES: usize = 32;

/// A connection on which many calls are on their way at once. Cloning it is cheap, and what it stands for ends with the
/// last clone.
#[derive(Clone)]
pub(super) enum Connection {
    Server(MultiplexedConnection),
    Cluster(Box<ClusterConnection>),
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Server(_) => "Connection::Server",
            Self::Cluster(_) => "Connection::Cluster",
        })
    }
}

impl Server {
    /// Connects. The caller bounds the whole of it.
    pub(super) async fn connect(&self) -> RedisResult<Connection> {
        match &self.url.kind {
            Kind::Server { database } => self.connect_to_server(*database).await,
            Kind::Cluster => self.connect_to_cluster().await,
            Kind::Sentinel { master, database } => self.connect_to_master(master, *database).await,
        }
    }

    async fn connect_to_server(&self, database: i64) -> RedisResult<Connection> {
        let address = self.addresses().next();
        let address = address.ok_or((ErrorKind::InvalidClientConfig, "no server is named"))?;
        let client = Client::open(info(address, self.login().set_db(database))?)?;
        let config = self.config();
        let connected = client.get_multiplexed_async_connection_with_config(&config);
        Ok(Connection::Server(connected.await?))
    }

    async fn connect_to_cluster(&self) -> RedisResult<Connection> {
        let nodes: RedisResult<Vec<ConnectionInfo>> =
            self.addresses().map(|node| info(node, self.login())).collect();
        let client = ClusterClientBuilder::new(nodes?)
            .retries(CLUSTER_RETRIES)
            .connection_timeout(self.connect_within)
            .response_timeout(self.connect_within)
            .overall_response_timeout(None)
            .build()?;
        let connection = client.get_async_connection().await?;
        Ok(Connection::Cluster(Box::new(connection)))
    }

    /// Asks anew with each connection: after a failover it is another.
    async fn connect_to_master(&self, master: &str, database: i64) -> RedisResult<Connection> {
        let mut builder = SentinelClientBuilder::new(self.addresses(), master, SentinelServerType::Master)?
            .set_client_to_redis_db(database);
        if self.url.is_encrypted {
            builder = builder
                .set_client_to_redis_tls_mode(TlsMode::Secure)
                .set_client_to_sentinel_tls_mode(TlsMode::Secure);
        }
        if let Some(user) = &self.url.user {
            builder = builder.set_client_to_redis_username(user);
        }
        if let Some(password) = &self.url.password {
            builder = builder.set_client_to_redis_password(password);
        }
        if let Some(login) = &self.sentinel_login {
            if let Some(user) = &login.user {
                builder = builder.set_client_to_sentinel_username(user);
            }
            builder = builder.set_client_to_sentinel_password(&login.password);
        }
        let mut client = builder.build()?;
        let config = self.config();
        let connected = client.get_async_connection_with_config(&config);
        Ok(Connection::Server(connected.await?))
    }

    fn addresses(&self) -> impl Iterator<Item = ConnectionAddr> + '_ {
        let hosts = self.url.hosts.iter().cloned();
        hosts.map(|(host, port)| {
            if self.url.is_encrypted {
                ConnectionAddr::TcpTls {
                    host,
                    port,
                    insecure: false,
                    tls_params: None,
                }
            } else {
                ConnectionAddr::Tcp(host, port)
            }
        })
    }

    fn login(&self) -> RedisConnectionInfo {
        let mut info = RedisConnectionInfo::default();
        if let Some(user) = &self.url.user {
            info = info.set_username(user);
        }
        if let Some(password) = &self.url.password {
            info = info.set_password(password);
        }
        info
    }

    /// Each call brings a limit of its own; the client's default of 500 ms would only be a second one.
    fn config(&self) -> AsyncConnectionConfig {
        AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.connect_within))
            .set_response_timeout(None)
    }
}

fn info(address: ConnectionAddr, login: RedisConnectionInfo) -> RedisResult<ConnectionInfo> {
    Ok(address.into_connection_info()?.set_redis_settings(login))
}

impl Connection {
    /// One command that is answered with a number.
    pub(super) async fn run(&mut self, command: &Cmd) -> RedisResult<i64> {
        match self {
            Self::Server(connection) => command.query_async(connection).await,
            Self::Cluster(connection) => command.query_async(&mut **connection).await,
        }
    }

    /// What stands under this name, if it is a text.
    pub(super) async fn get(&mut self, name: &str) -> RedisResult<Option<Vec<u8>>> {
        let mut command = Cmd::with_capacity(2, GET_BYTES + name.len());
        command.arg("GET").arg(name);
        match self {
            Self::Server(connection) => command.query_async(connection).await,
            Self::Cluster(connection) => command.query_async(&mut **connection).await,
        }
    }

    /// Many such commands in one round trip. The outer error: nothing is known of any.
    pub(super) async fn run_all(&mut self, commands: Vec<Cmd>) -> RedisResult<Vec<RedisResult<i64>>> {
        match self {
            Self::Server(connection) => {
                let mut pipeline = Pipeline::with_capacity(commands.len());
                for command in commands {
                    pipeline.add_command(command);
                }
                pipeline.ignore_errors().query_async(connection).await
            }
            // Their keys are on different nodes: each goes its own way, all at once.
            Self::Cluster(connection) => {
                let calls = commands.into_iter().map(|command| {
                    let mut connection = Self::Cluster(connection.clone());
                    async move { connection.run(&command).await }
                });
                let answers = join_all(calls).await;
                match answers
                    .iter()
                    .find_map(|answer| answer.as_ref().err().filter(is_no_answer))
                {
                    Some(error) => Err(error.clone()),
                    None => Ok(answers),
                }
            }
        }
    }
}

/// Whether the error isn't a server's word on a command.
fn is_no_answer(error: &&RedisError) -> bool {
    !matches!(error.kind(), ErrorKind::Server(_) | ErrorKind::Extension)
}
