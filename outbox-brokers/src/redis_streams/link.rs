//! A connection that is made when it is needed, and again when it was lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, RedisError, RedisResult, Script, ScriptInvocation};
use tokio::sync::Mutex;

/// A connection that clones share.
#[derive(Clone)]
pub(super) struct Link {
    client: Client,
    timeout: Duration,
    /// How often its siblings and it have lost a connection. What takes one from a link takes the others' too: each would only be found
    /// dead by the next message that goes over it.
    losses: Arc<AtomicU64>,
    current: Arc<Mutex<Current>>,
}

#[derive(Default)]
struct Current {
    connection: Option<MultiplexedConnection>,
    /// The losses before it was made.
    losses: u64,
    /// Tells connections apart: what is said of one does not end the next.
    number: u64,
}

impl Link {
    pub(super) fn new(client: Client, timeout: Duration) -> Self {
        Self {
            client,
            timeout,
            losses: Arc::default(),
            current: Arc::default(),
        }
    }

    /// One of the same server for others alone, because what blocks it would block them all.
    pub(super) fn another(&self) -> Self {
        Self::new(self.client.clone(), self.timeout)
    }

    /// So many of the same server that lose their connections together.
    pub(super) fn siblings<const N: usize>(&self) -> [Self; N] {
        let first = self.another();
        std::array::from_fn(|_| Self {
            losses: Arc::clone(&first.losses),
            ..first.another()
        })
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// Runs a script.
    pub(super) async fn run<T: redis::FromRedisValue>(
        &self,
        script: &Script,
        arguments: impl FnOnce(&mut ScriptInvocation<'_>),
    ) -> RedisResult<T> {
        let mut invocation = script.prepare_invoke();
        arguments(&mut invocation);
        let (mut connection, number) = self.connection().await?;
        let answer = invocation.invoke_async(&mut connection).await;
        self.look(number, answer).await
    }

    /// Runs a command that may be done twice: a connection that was lost while nobody spoke shows only now.
    pub(super) async fn query<T: redis::FromRedisValue>(&self, command: &redis::Cmd) -> RedisResult<T> {
        match self.query_once(command).await {
            Err(error) if is_lost(&error) && !error.is_timeout() => self.query_once(command).await,
            answer => answer,
        }
    }

    /// Which connection it is, made if there is none.
    pub(super) async fn number(&self) -> RedisResult<u64> {
        Ok(self.connection().await?.1)
    }

    /// Runs a command on that connection, or fails: what is asked of one is not what another one knows.
    pub(super) async fn query_on<T: redis::FromRedisValue>(
        &self,
        number: u64,
        command: &redis::Cmd,
    ) -> RedisResult<T> {
        let found = self.connection().await?;
        match found.1 == number {
            true => self.ask(found, command).await,
            false => Err((redis::ErrorKind::Io, "the connection was lost").into()),
        }
    }

    async fn query_once<T: redis::FromRedisValue>(&self, command: &redis::Cmd) -> RedisResult<T> {
        let found = self.connection().await?;
        self.ask(found, command).await
    }

    async fn ask<T: redis::FromRedisValue>(
        &self,
        (mut connection, number): (MultiplexedConnection, u64),
        command: &redis::Cmd,
    ) -> RedisResult<T> {
        let answer = command.query_async(&mut connection).await;
        self.look(number, answer).await
    }

    async fn connection(&self) -> RedisResult<(MultiplexedConnection, u64)> {
        let mut current = self.current.lock().await;
        let losses = self.losses.load(Relaxed);
        if let Some(connection) = &current.connection
            && current.losses == losses
        {
            return Ok((connection.clone(), current.number));
        }
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.timeout))
            .set_response_timeout(Some(self.timeout));
        let connection = self
            .client
            .get_multiplexed_async_connection_with_config(&config)
            .await?;
        current.number += 1;
        current.losses = losses;
        current.connection = Some(connection.clone());
        Ok((connection, current.number))
    }

    /// Drops the connection where it is of no more use: also one that did not answer in time, whose answers may come to others.
    async fn look<T>(&self, number: u64, answer: RedisResult<T>) -> RedisResult<T> {
        if let Err(error) = &answer
            && is_lost(error)
        {
            let mut current = self.current.lock().await;
            if current.number == number && current.connection.take().is_some() {
                // What a sibling has said already is not said again, or it would cost a connection that is new.
                let (before, after) = (current.losses, current.losses + 1);
                let _ = self.losses.compare_exchange(before, after, Relaxed, Relaxed);
            }
        }
        answer
    }
}

/// Whether the connection may be of no more use.
fn is_lost(error: &RedisError) -> bool {
    error.is_unrecoverable_error()
        || error.is_timeout()
        || error.is_connection_dropped()
        || error.is_io_error()
}
