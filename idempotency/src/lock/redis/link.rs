//! The connection that all calls share, made when it is needed and dropped when it failed.
//!
//! However many calls wait for it, one attempt to connect is on its way. It is a task of its own: a call that is
//! dropped, or gives up after its time, doesn't end it, and the next call finds what came of it.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use redis::{ErrorKind, RedisError, RedisResult};

use crate::lock::redis::server::{Connection, Server};

type Attempt = Shared<BoxFuture<'static, RedisResult<Connection>>>;

pub(super) struct Link {
    server: Arc<Server>,
    state: Mutex<State>,
}

struct State {
    // Tells connections apart: what is said of one mustn't end its successor.
    number: u64,
    line: Line,
}

enum Line {
    Down,
    Connecting(Attempt),
    Up(Connection),
}

impl Link {
    pub(super) fn new(server: Server) -> Self {
        Self {
            server: Arc::new(server),
            state: Mutex::new(State {
                number: 0,
                line: Line::Down,
            }),
        }
    }

    /// The connection and its number. Connects if there is none; the caller bounds its wait.
    pub(super) async fn connection(&self) -> RedisResult<(Connection, u64)> {
        let (attempt, number) = {
            let mut state = self.state();
            match &state.line {
                Line::Up(connection) => return Ok((connection.clone(), state.number)),
                Line::Connecting(attempt) => (attempt.clone(), state.number),
                Line::Down => {
                    let attempt = connect(Arc::clone(&self.server));
                    state.number += 1;
                    state.line = Line::Connecting(attempt.clone());
                    (attempt, state.number)
                }
            }
        };
        let connected = attempt.await;
        let mut state = self.state();
        if state.number == number && matches!(state.line, Line::Connecting(_)) {
            state.line = match &connected {
                Ok(connection) => Line::Up(connection.clone()),
                Err(_) => Line::Down,
            };
        }
        connected.map(|connection| (connection, number))
    }

    /// Drops the connection of that number.
    pub(super) fn lost(&self, number: u64) {
        let mut state = self.state();
        if state.number == number {
            state.line = Line::Down;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing in here panics halfway through a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link")
            .field("server", &self.server)
            .finish_non_exhaustive()
    }
}

fn connect(server: Arc<Server>) -> Attempt {
    let task = tokio::spawn(async move {
        let within = server.connect_within;
        tokio::time::timeout(within, server.connect())
            .await
            .unwrap_or_else(|_| Err(io_error("it wasn't connected in time")))
    });
    task.map(|ended| ended.unwrap_or_else(|_| Err(io_error("connecting was cut short"))))
        .boxed()
        .shared()
}

fn io_error(text: &'static str) -> RedisError {
    (ErrorKind::Io, text).into()
}
