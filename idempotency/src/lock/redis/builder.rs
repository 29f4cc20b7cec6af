//! How the lock in Redis is set up.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::lock::LockError;
use crate::lock::breaker::Rest;
use crate::lock::redis::server::{Login, Server};
use crate::lock::redis::url::{Kind, RedisUrl};
use crate::lock::redis::{RedisLock, Settings};

const COMMAND_TIMEOUT: Duration = Duration::from_millis(100);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
const PREFIX: &str = "idempotency:";
const REST: Rest = Rest {
    least: Duration::from_secs(1),
    most: Duration::from_secs(10),
};

/// What a setting of time may be; the command timeout's upper end leaves room for a lease ten times as long.
const COMMAND_TIMEOUTS: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_secs(60);
const CONNECT_TIMEOUTS: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_secs(60);
const RESTS: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_secs(600);

/// A name is sent with each call.
const PREFIX_BYTES_MAX: usize = 64;

/// Settings of a [`RedisLock`].
#[derive(Clone, Debug)]
#[must_use]
pub struct RedisLockBuilder {
    url: Result<RedisUrl, LockError>,
    sentinel_login: Option<Login>,
    command_timeout: Duration,
    connect_timeout: Duration,
    prefix: String,
    rest: Rest,
}

impl RedisLockBuilder {
    pub(super) fn new(url: &str) -> Self {
        Self {
            url: RedisUrl::parse(url),
            sentinel_login: None,
            command_timeout: COMMAND_TIMEOUT,
            connect_timeout: CONNECT_TIMEOUT,
            prefix: PREFIX.to_owned(),
            rest: REST,
        }
    }

    /// How long a call may wait for Redis, connecting included: 1 ms to 60 s. A lease must be at least ten times as
    /// long ([`LockError::Duration`]), or waiting for the lock would use up the time that it gives. Default: 100 ms.
    pub fn command_timeout(mut self, timeout: Duration) -> Self {
        self.command_timeout = timeout;
        self
    }

    /// How long an attempt to connect may go on behind the calls that wait for it: 1 ms to 60 s. Default: 1 s.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// What the names of all keys begin with, of at most 64 visible ASCII characters without `{` and `}`, which
    /// mean something to a cluster. Default: `idempotency:`.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// How long Redis is left alone after a failure; twice as long each time it fails again, up to `most`. 1 ms to 10
    /// minutes. Default: 1 s, up to 10 s.
    pub fn rest(mut self, least: Duration, most: Duration) -> Self {
        self.rest = Rest { least, most };
        self
    }

    /// What sentinels ask for; what the URL has is for their master. Default: nothing.
    pub fn sentinel_login(mut self, user: Option<&str>, password: &str) -> Self {
        self.sentinel_login = Some(Login {
            user: user.map(str::to_owned),
            password: password.to_owned(),
        });
        self
    }

    /// A lock that connects when it is first asked: whether Redis is there makes no difference here.
    ///
    /// # Errors
    ///
    /// [`LockError::Url`] and [`LockError::Setting`] name what can't be used.
    pub fn build(self) -> Result<RedisLock, LockError> {
        let url = self.url?;
        within("command_timeout", self.command_timeout, &COMMAND_TIMEOUTS)?;
        within("connect_timeout", self.connect_timeout, &CONNECT_TIMEOUTS)?;
        within("rest", self.rest.least, &RESTS)?;
        within("rest", self.rest.most, &(self.rest.least..=*RESTS.end()))?;
        check_prefix(&self.prefix)?;
        if self.sentinel_login.is_some() && !matches!(url.kind, Kind::Sentinel { .. }) {
            return Err(wrong("sentinel_login", "is set, but the URL names no sentinels"));
        }
        let server = Server {
            url,
            sentinel_login: self.sentinel_login,
            connect_within: self.connect_timeout,
        };
        Ok(RedisLock::new(
            server,
            Settings {
                command_timeout: self.command_timeout,
                prefix: self.prefix,
            },
            self.rest,
        ))
    }
}

fn within(name: &'static str, given: Duration, allowed: &RangeInclusive<Duration>) -> Result<(), LockError> {
    if allowed.contains(&given) {
        return Ok(());
    }
    let (least, most) = (allowed.start(), allowed.end());
    Err(wrong(
        name,
        format!("must be from {least:?} to {most:?}, and not {given:?}"),
    ))
}

fn check_prefix(prefix: &str) -> Result<(), LockError> {
    let is_usable = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'{' | b'}');
    if prefix.len() > PREFIX_BYTES_MAX || !prefix.bytes().all(is_usable) {
        return Err(wrong(
            "prefix",
            format!("must be of at most {PREFIX_BYTES_MAX} visible ASCII characters without braces"),
        ));
    }
    Ok(())
}

fn wrong(name: &'static str, problem: impl Into<String>) -> LockError {
    LockError::Setting {
        name,
        problem: problem.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOMENT: Duration = Duration::from_millis(20);

    fn builder() -> RedisLockBuilder {
        RedisLockBuilder::new("redis://u:secret@h")
    }

    #[test]
    fn a_setting_that_can_not_be_used_is_named() {
        let long = "x".repeat(PREFIX_BYTES_MAX + 1);
        let wrong = [
            (builder().command_timeout(Duration::ZERO), "command_timeout"),
            (builder().command_timeout(Duration::MAX), "command_timeout"),
            (builder().connect_timeout(Duration::ZERO), "connect_timeout"),
            (builder().rest(Duration::ZERO, MOMENT), "rest"),
            (builder().rest(2 * MOMENT, MOMENT), "rest"),
            (builder().rest(MOMENT, Duration::MAX), "rest"),
            (builder().prefix(long), "prefix"),
            (builder().prefix("a b"), "prefix"),
            (builder().prefix("{a}"), "prefix"),
            (builder().sentinel_login(None, "secret"), "sentinel_login"),
        ];
        for (builder, expected) in wrong {
            let error = builder.build().expect_err(expected);
            assert!(
                matches!(&error, LockError::Setting { name, .. } if *name == expected),
                "{expected}: {error}"
            );
            assert!(!format!("{error} {error:?}").contains("secret"));
        }
    }

    #[test]
    fn neither_builder_nor_lock_shows_a_password() {
        let builder = RedisLockBuilder::new("redis+sentinel://u:secret@h/m").sentinel_login(None, "secret");
        assert!(!format!("{builder:?}").contains("secret"));
        assert!(!format!("{:?}", builder.build().unwrap()).contains("secret"));
    }
}
