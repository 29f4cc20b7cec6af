//! Where Redis is.

use std::fmt;

use crate::lock::{LockError, UrlPart};

/// The port of Redis.
const PORT: u16 = 6379;

/// The port of sentinels.
const SENTINEL_PORT: u16 = 26379;

/// How many servers a URL may name.
const HOSTS_MAX: usize = 64;

/// What a URL says.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct RedisUrl {
    pub(super) kind: Kind,
    pub(super) is_encrypted: bool,
    pub(super) hosts: Vec<(String, u16)>,
    pub(super) user: Option<String>,
    pub(super) password: Option<String>,
}

/// How what is there is to be spoken to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// One server.
    Server { database: i64 },
    /// Nodes of a cluster, any of which tells of the others.
    Cluster,
    /// Sentinels, any of which tells where the master of that name is.
    Sentinel { master: String, database: i64 },
}

impl RedisUrl {
    /// `redis://host/0`, `redis+cluster://host:port,host:port`, `redis+sentinel://host,host/master/0`; with `rediss`
    /// in place of `redis` encrypted, and each with `user:password@` before the hosts.
    pub(super) fn parse(url: &str) -> Result<Self, LockError> {
        let (scheme, rest) = url
            .split_once("://")
            .ok_or_else(|| wrong(UrlPart::Scheme, "is missing"))?;
        if rest.contains(['?', '#']) {
            return Err(wrong(UrlPart::Query, "is not understood: there must be none"));
        }
        let (is_encrypted, way) = match scheme.split_once('+').unwrap_or((scheme, "")) {
            ("redis", way) => (false, way),
            ("rediss", way) => (true, way),
            _ => return Err(unknown_scheme()),
        };
        if is_encrypted && !cfg!(feature = "redis-rustls") {
            return Err(wrong(
                UrlPart::Scheme,
                "asks for TLS, which needs the feature `redis-rustls`",
            ));
        }
        // A password may hold an unescaped slash or `@`; hosts can't.
        let (credentials, place) = match rest.rsplit_once('@') {
            Some((credentials, place)) => (Some(credentials), place),
            None => (None, rest),
        };
        let (hosts, path) = place.split_once('/').unwrap_or((place, ""));
        let (kind, port) = match way {
            "" => (
                Kind::Server {
                    database: database(path)?,
                },
                PORT,
            ),
            "cluster" if path.is_empty() => (Kind::Cluster, PORT),
            "cluster" => return Err(wrong(UrlPart::Path, "must be empty: a cluster has one database")),
            "sentinel" => (sentinel(path)?, SENTINEL_PORT),
            _ => return Err(unknown_scheme()),
        };
        let hosts = hosts_of(hosts, port)?;
        if matches!(kind, Kind::Server { .. }) && hosts.len() > 1 {
            return Err(wrong(
                UrlPart::Host,
                "is one too many: several are for redis+cluster:// and redis+sentinel://",
            ));
        }
        let (user, password) = credentials.map_or(Ok((None, None)), credentials_of)?;
        Ok(Self {
            kind,
            is_encrypted,
            hosts,
            user,
            password,
        })
    }
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisUrl")
            .field("kind", &self.kind)
            .field("is_encrypted", &self.is_encrypted)
            .field("hosts", &self.hosts)
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

fn credentials_of(text: &str) -> Result<(Option<String>, Option<String>), LockError> {
    let (user, password) = text.split_once(':').unwrap_or((text, ""));
    let user = decode(UrlPart::User, user)?;
    let password = decode(UrlPart::Password, password)?;
    if user.is_some() && password.is_none() {
        return Err(wrong(UrlPart::Password, "is missing, but there is a user"));
    }
    Ok((user, password))
}

fn hosts_of(text: &str, default_port: u16) -> Result<Vec<(String, u16)>, LockError> {
    let mut hosts = Vec::new();
    for place in text.split(',') {
        if hosts.len() == HOSTS_MAX {
            return Err(wrong(UrlPart::Host, "is one too many: there may be 64"));
        }
        hosts.push(host_of(place, default_port)?);
    }
    Ok(hosts)
}

/// An IPv6 address has colons of its own and stands in brackets.
fn host_of(place: &str, default_port: u16) -> Result<(String, u16), LockError> {
    let (host, port) = match place.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest
                .split_once(']')
                .ok_or_else(|| wrong(UrlPart::Host, "has a bracket that isn't closed"))?;
            match port.strip_prefix(':') {
                Some(port) => (host, Some(port)),
                None if port.is_empty() => (host, None),
                None => return Err(wrong(UrlPart::Host, "goes on after its bracket")),
            }
        }
        None => match place.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (place, None),
        },
    };
    if host.is_empty() {
        return Err(wrong(UrlPart::Host, "is empty"));
    }
    if host.contains(|character: char| character.is_whitespace() || character.is_control()) {
        return Err(wrong(UrlPart::Host, "has a blank in it"));
    }
    let port = match port {
        None => default_port,
        Some(text) => match text.parse() {
            Ok(0) | Err(_) => return Err(wrong(UrlPart::Port, "is no number from 1 to 65535")),
            Ok(port) => port,
        },
    };
    Ok((host.to_owned(), port))
}

fn sentinel(path: &str) -> Result<Kind, LockError> {
    let (master, number) = path.split_once('/').unwrap_or((path, ""));
    let master = decode(UrlPart::Path, master)?
        .ok_or_else(|| wrong(UrlPart::Path, "must name the master that the sentinels watch"))?;
    Ok(Kind::Sentinel {
        master,
        database: database(number)?,
    })
}

fn database(text: &str) -> Result<i64, LockError> {
    if text.is_empty() {
        return Ok(0);
    }
    let number: Option<u16> = text.parse().ok();
    number
        .map(i64::from)
        .ok_or_else(|| wrong(UrlPart::Path, "is no number of a database"))
}

/// Undoes percent-encoding; nothing is `None`.
fn decode(part: UrlPart, text: &str) -> Result<Option<String>, LockError> {
    if text.is_empty() {
        return Ok(None);
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        bytes.push(if *first == b'%' {
            let [high, low, after @ ..] = tail else {
                return Err(wrong(part, "has a `%` that no two hexadecimal digits follow"));
            };
            rest = after;
            digit(*high)
                .zip(digit(*low))
                .map(|(high, low)| 16 * high + low)
                .ok_or_else(|| wrong(part, "has a `%` that no two hexadecimal digits follow"))?
        } else {
            *first
        });
    }
    String::from_utf8(bytes)
        .map(Some)
        .map_err(|_| wrong(part, "is no UTF-8"))
}

fn digit(character: u8) -> Option<u8> {
    let value = char::from(character).to_digit(16)?;
    u8::try_from(value).ok()
}

fn unknown_scheme() -> LockError {
    wrong(
        UrlPart::Scheme,
        "is none of redis, rediss, redis+cluster, rediss+cluster, redis+sentinel and rediss+sentinel",
    )
}

fn wrong(part: UrlPart, problem: &'static str) -> LockError {
    LockError::Url { part, problem }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(url: &str) -> RedisUrl {
        RedisUrl::parse(url).unwrap_or_else(|error| panic!("{url}: {error}"))
    }

    #[test]
    fn each_way_to_reach_redis_has_its_url() {
        let one = parsed("redis://h");
        assert_eq!(one.kind, Kind::Server { database: 0 });
        assert_eq!(one.hosts, [("h".to_owned(), 6379)]);
        assert_eq!((one.user, one.password), (None, None));

        let full = parsed("redis://u%3A:p%40/w@[::1]:7/3");
        assert_eq!(full.kind, Kind::Server { database: 3 });
        assert_eq!(full.hosts, [("::1".to_owned(), 7)]);
        assert_eq!(full.user.as_deref(), Some("u:"));
        assert_eq!(full.password.as_deref(), Some("p@/w"));

        let cluster = parsed("redis+cluster://:pw@a:1,b,[::2]");
        assert_eq!(cluster.kind, Kind::Cluster);
        let expected = [("a", 1), ("b", 6379), ("::2", 6379)];
        assert_eq!(
            cluster.hosts,
            expected.map(|(host, port)| (host.to_owned(), port))
        );
        assert_eq!((cluster.user, cluster.password.as_deref()), (None, Some("pw")));

        let sentinel = parsed("redis+sentinel://a,b:2/main/1");
        let kind = Kind::Sentinel {
            master: "main".to_owned(),
            database: 1,
        };
        assert_eq!(sentinel.kind, kind);
        assert_eq!(sentinel.hosts, [("a".to_owned(), 26379), ("b".to_owned(), 2)]);
    }

    #[test]
    fn the_part_that_is_wrong_is_named_and_the_password_is_not() {
        let wrong = [
            ("h:1", UrlPart::Scheme),
            ("http://u:secret@h", UrlPart::Scheme),
            ("redis+moon://u:secret@h", UrlPart::Scheme),
            ("redis://u:secret@", UrlPart::Host),
            ("redis://u:secret@,h", UrlPart::Host),
            ("redis://a,b", UrlPart::Host),
            ("redis+cluster://a,,b", UrlPart::Host),
            ("redis://u:secret@[::1", UrlPart::Host),
            ("redis://[::1]x", UrlPart::Host),
            ("redis://a b", UrlPart::Host),
            ("redis://u:secret@h:", UrlPart::Port),
            ("redis://h:0", UrlPart::Port),
            ("redis://h:65536", UrlPart::Port),
            ("redis://h:x", UrlPart::Port),
            ("redis://u:secret@h/x", UrlPart::Path),
            ("redis://h/-1", UrlPart::Path),
            ("redis+cluster://h/1", UrlPart::Path),
            ("redis+sentinel://u:secret@h", UrlPart::Path),
            ("redis+sentinel://h/main/x", UrlPart::Path),
            ("redis://u:secret@h?db=1", UrlPart::Query),
            ("redis://u@h", UrlPart::Password),
            ("redis://u:secret%4@h", UrlPart::Password),
            ("redis://u:secret%zz@h", UrlPart::Password),
            ("redis://u:secret%ff@h", UrlPart::Password),
            ("redis://%zz:secret@h", UrlPart::User),
        ];
        for (url, expected) in wrong {
            let error = RedisUrl::parse(url).expect_err(url);
            assert!(
                matches!(&error, LockError::Url { part, .. } if *part == expected),
                "{url}: {error}"
            );
            let shown = format!("{error} {error:?}");
            assert!(!shown.contains("secret"), "{shown}");
        }
        let shown = format!("{:?}", parsed("redis://u:secret@h"));
        assert!(shown.contains('h') && !shown.contains("secret"), "{shown}");
    }

    #[test]
    fn hosts_are_bounded() {
        let many = |count| format!("redis+cluster://{}", vec!["h"; count].join(","));
        assert_eq!(parsed(&many(HOSTS_MAX)).hosts.len(), HOSTS_MAX);
        assert!(RedisUrl::parse(&many(HOSTS_MAX + 1)).is_err());
    }

    #[cfg(not(feature = "redis-rustls"))]
    #[test]
    fn without_its_feature_tls_is_refused() {
        let error = RedisUrl::parse("rediss://h").unwrap_err();
        assert!(error.to_string().contains("redis-rustls"), "{error}");
    }

    #[cfg(feature = "redis-rustls")]
    #[test]
    fn with_its_feature_each_way_can_be_encrypted() {
        for url in ["rediss://h", "rediss+cluster://h", "rediss+sentinel://h/m"] {
            assert!(parsed(url).is_encrypted, "{url}");
        }
    }
}
