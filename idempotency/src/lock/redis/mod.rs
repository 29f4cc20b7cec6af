//! The lock in Redis. All that depends on the client's crate is in this folder.

mod builder;
mod gate;
mod link;
mod script;
mod server;
mod url;

use std::sync::Arc;
use std::time::Duration;

use ::redis::{Cmd, ErrorKind, RedisError, RedisResult, ServerErrorKind};
use async_trait::async_trait;
use tokio::time::error::Elapsed;
use tokio::time::timeout;

use self::gate::{Call, Gate};
use self::link::Link;
use self::script::{CARRIED_OUT, DONE, GRANTED, LockScript, Operation};
use self::server::{Connection, Server};
use super::breaker::{Breaker, Rest};
use super::{Acquired, Lock, LockError, LockKey, Token, Unavailable, terms};

pub use self::builder::RedisLockBuilder;

/// How many times a lease must be as long as a call may wait.
const LEASE_TO_TIMEOUT: u32 = 10;

/// How many keys go to Redis in one round trip; more are several.
const BATCH_MAX: usize = 1_000;

/// Locks that processes share through Redis: one server, a cluster, or the master that sentinels name.
///
/// One key of Redis per lock, changed by one script, in one round trip. Before a lock is asked for the key is read, because a
/// done mark is the common case and needs no script. A Redis that is dead, frozen or failing over
/// costs the calls that were on their way one command timeout; after that calls are refused at once
/// ([`Unavailable::Resting`]), but for one now and then that tries again. A Redis that is full still tells what is
/// locked and done; what would need room is [`Unavailable::Full`].
///
/// On a cluster one node that is down makes the lock rest for the keys of all.
#[derive(Debug)]
pub struct RedisLock {
    link: Link,
    gate: Gate,
    script: LockScript,
    settings: Settings,
}

#[derive(Debug)]
struct Settings {
    command_timeout: Duration,
    prefix: String,
}

/// What Redis said of one key.
type Said = Result<i64, Refusal>;

/// Why one key can't be had, from a Redis that works.
#[derive(Clone, Copy, Debug)]
enum Refusal {
    /// There is something else under its name.
    Foreign,
    /// There is no room for it.
    Full,
}

impl RedisLock {
    /// Settings for the Redis at a URL: `redis://host:port/database`, `redis+cluster://host:port,host:port` or
    /// `redis+sentinel://host:port,host:port/master/database`, with `user:password@` before the hosts, and `rediss` in
    /// place of `redis` for TLS (feature `redis-rustls`). What has a meaning in URLs is percent-encoded.
    pub fn builder(url: &str) -> RedisLockBuilder {
        RedisLockBuilder::new(url)
    }

    fn new(server: Server, settings: Settings, rest: Rest) -> Self {
        Self {
            link: Link::new(server),
            gate: Gate::new(Breaker::new(rest, settings.command_timeout)),
            script: LockScript::new(),
            settings,
        }
    }

    fn lease(&self, lease: Duration) -> Result<u64, LockError> {
        terms::lease(lease, self.settings.command_timeout * LEASE_TO_TIMEOUT)
    }

    fn name(&self, key: &LockKey) -> String {
        [&self.settings.prefix, key.as_str()].concat()
    }

    /// One operation on one key.
    async fn ask(&self, key: &LockKey, operation: Operation) -> Result<Said, LockError> {
        let call = self.gate.enter()?;
        let name = self.name(key);
        let mut line = None;
        let asking = async {
            let (mut connection, number) = self.link.connection().await?;
            line = Some(number);
            if let Operation::Acquire { .. } = operation {
                // A duplicate needs no script, which costs Redis three times as much as this.
                match connection.get(&name).await {
                    Ok(Some(value)) if value == script::MARK => return Ok(Ok(DONE)),
                    Ok(_) => {}
                    Err(error) => return said(Err(error)),
                }
            }
            let answer = connection.run(&self.script.by_hash(&name, operation)).await;
            said(match answer {
                Err(error) if is_unknown_script(&error) => {
                    connection.run(&self.script.by_text(&name, operation)).await
                }
                answer => answer,
            })
        };
        let outcome = timeout(self.settings.command_timeout, asking).await;
        self.settle(call, line, outcome)
    }

    /// An operation on each key, in one round trip.
    async fn ask_all(&self, keys: &[LockKey], operations: &[Operation]) -> Result<Vec<Said>, LockError> {
        let call = self.gate.enter()?;
        let names: Vec<String> = keys.iter().map(|key| self.name(key)).collect();
        let requests: Vec<(&str, Operation)> = names
            .iter()
            .map(String::as_str)
            .zip(operations.iter().copied())
            .collect();
        let mut line = None;
        let asking = async {
            let (mut connection, number) = self.link.connection().await?;
            line = Some(number);
            self.run_all(&mut connection, &requests).await
        };
        let outcome = timeout(self.settings.command_timeout, asking).await;
        self.settle(call, line, outcome)
    }

    async fn run_all(
        &self,
        connection: &mut Connection,
        requests: &[(&str, Operation)],
    ) -> RedisResult<Vec<Said>> {
        let commands = requests
            .iter()
            .map(|(name, operation)| self.script.by_hash(name, *operation));
        let mut answers = connection.run_all(commands.collect()).await?;
        // All of them, if the server is new; on a cluster those of one node.
        let is_unknown = |answer: &RedisResult<i64>| answer.as_ref().is_err_and(is_unknown_script);
        let again: Vec<Cmd> = requests
            .iter()
            .zip(&answers)
            .filter(|(_, answer)| is_unknown(answer))
            .map(|((name, operation), _)| self.script.by_text(name, *operation))
            .collect();
        if !again.is_empty() {
            let second = connection.run_all(again).await?;
            let unknown = answers.iter_mut().filter(|answer| is_unknown(answer));
            for (place, answer) in unknown.zip(second) {
                *place = answer;
            }
        }
        answers.into_iter().map(said).collect()
    }

    /// Tells breaker and connection what came of a call.
    fn settle<T>(
        &self,
        call: Call<'_>,
        line: Option<u64>,
        outcome: Result<RedisResult<T>, Elapsed>,
    ) -> Result<T, LockError> {
        let reason = match outcome {
            Ok(Ok(answer)) => {
                call.answered();
                return Ok(answer);
            }
            Ok(Err(error)) => Unavailable::Failed(Arc::new(error)),
            Err(_) => Unavailable::NoAnswer {
                waited: self.settings.command_timeout,
            },
        };
        // What is still on its way there is of no use to anybody. A new one finds a new master, too.
        if let Some(number) = line {
            self.link.lost(number);
        }
        call.failed(&reason);
        Err(reason.into())
    }
}

#[async_trait]
impl Lock for RedisLock {
    async fn acquire(&self, key: &LockKey, lease: Duration) -> Result<Acquired, LockError> {
        let lease = self.lease(lease)?;
        let token = Token::random();
        let said = self.ask(key, Operation::Acquire { token, lease }).await?;
        acquired(key, token, said)
    }

    async fn extend(&self, key: &LockKey, token: Token, lease: Duration) -> Result<bool, LockError> {
        let lease = self.lease(lease)?;
        let said = self.ask(key, Operation::Extend { token, lease }).await?;
        carried_out(key, said)
    }

    async fn release(&self, key: &LockKey, token: Token) -> Result<bool, LockError> {
        let said = self.ask(key, Operation::Release { token }).await?;
        carried_out(key, said)
    }

    async fn mark_done(&self, key: &LockKey, keep: Duration) -> Result<(), LockError> {
        let keep = terms::keep(keep)?;
        let said = self.ask(key, Operation::MarkDone { keep }).await?;
        carried_out(key, said).map(drop)
    }

    async fn acquire_all(&self, keys: &[LockKey], lease: Duration) -> Vec<Result<Acquired, LockError>> {
        let lease = match self.lease(lease) {
            Ok(lease) => lease,
            Err(error) => return refuse_all(keys, &error),
        };
        let mut results = Vec::with_capacity(keys.len());
        for keys in keys.chunks(BATCH_MAX) {
            let tokens: Vec<Token> = keys.iter().map(|_| Token::random()).collect();
            let operations: Vec<Operation> = tokens
                .iter()
                .map(|token| Operation::Acquire { token: *token, lease })
                .collect();
            match self.ask_all(keys, &operations).await {
                Ok(said) => results.extend(
                    keys.iter()
                        .zip(tokens)
                        .zip(said)
                        .map(|((key, token), said)| acquired(key, token, said)),
                ),
                Err(error) => results.extend(refuse_all(keys, &error)),
            }
        }
        results
    }

    async fn mark_all_done(&self, keys: &[LockKey], keep: Duration) -> Vec<Result<(), LockError>> {
        let keep = match terms::keep(keep) {
            Ok(keep) => keep,
            Err(error) => return refuse_all(keys, &error),
        };
        let mut results = Vec::with_capacity(keys.len());
        for keys in keys.chunks(BATCH_MAX) {
            let operations = vec![Operation::MarkDone { keep }; keys.len()];
            match self.ask_all(keys, &operations).await {
                Ok(said) => results.extend(
                    keys.iter()
                        .zip(said)
                        .map(|(key, said)| carried_out(key, said).map(drop)),
                ),
                Err(error) => results.extend(refuse_all(keys, &error)),
            }
        }
        results
    }
}

fn acquired(key: &LockKey, token: Token, said: Said) -> Result<Acquired, LockError> {
    match said.map_err(|refusal| refusal.of(key))? {
        GRANTED => Ok(Acquired::Granted(token)),
        DONE => Ok(Acquired::Done),
        left => match u64::try_from(left) {
            Ok(left) => Ok(Acquired::Busy {
                left: Duration::from_millis(left),
            }),
            Err(_) => Err(Refusal::Foreign.of(key)),
        },
    }
}

fn carried_out(key: &LockKey, said: Said) -> Result<bool, LockError> {
    said.map(|number| number == CARRIED_OUT)
        .map_err(|refusal| refusal.of(key))
}

fn refuse_all<T>(keys: &[LockKey], error: &LockError) -> Vec<Result<T, LockError>> {
    keys.iter().map(|_| Err(error.clone())).collect()
}

impl Refusal {
    fn of(self, key: &LockKey) -> LockError {
        match self {
            Self::Foreign => LockError::Foreign { key: key.clone() },
            Self::Full => Unavailable::Full.into(),
        }
    }
}

/// Tells what concerns one key from a Redis that can't do its work: a replica, one that still loads, one that doesn't
/// let us in.
fn said(answer: RedisResult<i64>) -> RedisResult<Said> {
    match answer {
        Ok(number) => Ok(Ok(number)),
        Err(error) => match error.code() {
            Some("OOM") => Ok(Err(Refusal::Full)),
            Some("WRONGTYPE") => Ok(Err(Refusal::Foreign)),
            _ => Err(error),
        },
    }
}

/// The server is new, or was restarted.
fn is_unknown_script(error: &RedisError) -> bool {
    error.kind() == ErrorKind::Server(ServerErrorKind::NoScript)
}
