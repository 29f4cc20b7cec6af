//! Redis for tests.

use std::sync::Mutex;

use super::{LeftOut, Source, or_leave_out, own_shared_server, program, source, to_be_killed};
use crate::container::protocol::Kind;
use crate::redis::{Redis, RedisBinaries, RedisCluster, RedisFailover, RedisOptions};
use crate::{HarnessError, environment};

/// Where a Redis server can come from.
pub type RedisSource = Source<RedisBinaries>;

/// Where a Redis server would come from.
///
/// # Errors
///
/// When there is none.
pub fn redis() -> Result<RedisSource, LeftOut> {
    source("redis", environment::REDIS_URL, Kind::Redis, RedisBinaries::find)
}

/// URL of the server that tests share. There are no databases of one's own in it: a test uses keys that nobody else
/// does, and lets them expire. `None`: the test is left out and that was written down.
///
/// # Panics
///
/// When there is a server but it doesn't start; and, outside of `cargo xtask test`, when there is none.
pub fn shared_redis_url() -> Option<String> {
    static OWN: Mutex<Option<Redis>> = Mutex::new(None);
    let url = match or_leave_out(redis())? {
        Source::Url(url) => Ok(url),
        Source::Container(_) | Source::Native(_) => {
            own_shared_server(&OWN, || Redis::start_with(&shared_redis_options()), Redis::url)
        }
    };
    Some(url.unwrap_or_else(|error| panic!("no server for this test: {error}")))
}

/// A server for this test alone, which it may kill, freeze and restart. A URL can't serve this need. `None`: the test
/// is left out and that was written down.
///
/// # Panics
///
/// When a server is installed but doesn't start; and, outside of `cargo xtask test`, when none is installed.
pub fn private_redis(options: &RedisOptions) -> Option<Redis> {
    or_leave_out(to_be_killed("private-redis", Kind::Redis, RedisBinaries::find))?;
    Some(started(Redis::start_with(options)))
}

/// A cluster for this test alone, from the program on the machine. `None`: the test is left out and that was written
/// down.
///
/// # Panics
///
/// As [`private_redis`].
pub fn private_redis_cluster() -> Option<RedisCluster> {
    or_leave_out(program("redis-cluster", RedisBinaries::find()))?;
    Some(started(RedisCluster::start()))
}

/// A master, a replica and a sentinel for this test alone, from the program on the machine. `None`: the test is left
/// out and that was written down.
///
/// # Panics
///
/// As [`private_redis`].
pub fn private_redis_failover() -> Option<RedisFailover> {
    or_leave_out(program("redis-sentinel", RedisBinaries::find()))?;
    Some(started(RedisFailover::start()))
}

/// Settings of a server that many tests share.
pub fn shared_redis_options() -> RedisOptions {
    RedisOptions::new()
}

fn started<S>(server: Result<S, HarnessError>) -> S {
    server.unwrap_or_else(|error| panic!("no server for this test: {error}"))
}
