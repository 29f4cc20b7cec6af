//! URLs of engines: which one, where, who, and settings.

use std::fmt;
#[cfg(feature = "engine")]
use std::{path::PathBuf, time::Duration};

use percent_encoding::percent_decode_str;

use crate::error::BrokerError;

/// A URL in its parts, decoded. Who and with which password is not shown.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct BrokerUrl {
    scheme: String,
    /// `host` or `host:port`, at least one.
    hosts: Vec<String>,
    user: Option<String>,
    password: Option<String>,
    path: String,
    settings: Vec<Setting>,
}

/// `name=value` of a URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Setting {
    pub(crate) name: String,
    pub(crate) value: String,
}

impl BrokerUrl {
    pub(crate) fn parse(url: &str) -> Result<Self, BrokerError> {
        let (scheme, rest) = url
            .split_once("://")
            .ok_or_else(|| wrong("it begins with a scheme, as in `nats://`"))?;
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '+' || c == '-';
        if scheme.is_empty() || !scheme.chars().all(plain) {
            return Err(wrong("its scheme is lower-case letters, digits, + and -"));
        }
        let rest = rest.split_once('#').map_or(rest, |(rest, _)| rest);
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (who, hosts) = match authority.rsplit_once('@') {
            Some((who, hosts)) => (Some(who), hosts),
            None => (None, authority),
        };
        let (user, password) = match who {
            None => (None, None),
            Some(who) => match who.split_once(':') {
                Some((user, password)) => {
                    (Some(decoded(user, "user")?), Some(decoded(password, "password")?))
                }
                None => (Some(decoded(who, "user")?), None),
            },
        };
        let hosts = hosts.split(',').map(host).collect::<Result<_, _>>()?;
        let settings = query
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| {
                let (name, value) = pair
                    .split_once('=')
                    .ok_or_else(|| wrong(format!("its setting {pair:?} has no value (`{pair}=…`)")))?;
                Ok(Setting {
                    name: name.to_owned(),
                    value: decoded(value, "setting")?,
                })
            })
            .collect::<Result<_, BrokerError>>()?;
        Ok(Self {
            scheme: scheme.to_owned(),
            hosts,
            user,
            password,
            path: decoded(path, "path")?,
            settings,
        })
    }

    pub(crate) fn scheme(&self) -> &str {
        &self.scheme
    }
}

#[cfg(feature = "engine")]
impl BrokerUrl {
    /// `host` or `host:port`, at least one.
    pub(crate) fn hosts(&self) -> &[String] {
        &self.hosts
    }

    /// The same, each with a port: this one where it says none.
    pub(crate) fn hosts_at(&self, port: u16) -> Vec<String> {
        let with_port = |host: &String| match host.rsplit_once(':') {
            Some((_, port)) if !port.ends_with(']') => host.clone(),
            _ => format!("{host}:{port}"),
        };
        self.hosts.iter().map(with_port).collect()
    }

    pub(crate) fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    pub(crate) fn password(&self) -> Option<&str> {
        self.password.as_deref()
    }

    /// What follows the first slash behind the hosts, without it.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    pub(crate) fn settings(&self) -> &[Setting] {
        &self.settings
    }

    /// For engines where there is nothing to choose by a path.
    pub(crate) fn without_path(&self) -> Result<(), BrokerError> {
        match self.path.is_empty() {
            true => Ok(()),
            false => Err(wrong(format!(
                "there is nothing to choose by a path with `{}://`, and its is {:?}",
                self.scheme, self.path
            ))),
        }
    }
}

#[cfg(feature = "engine")]
impl Setting {
    /// The error for a name that an engine doesn't know.
    pub(crate) fn unknown(&self, known: &[&str]) -> BrokerError {
        wrong(format!(
            "it has no setting {:?}; there are {}",
            self.name,
            known.join(", ")
        ))
    }

    pub(crate) fn duration(&self) -> Result<Duration, BrokerError> {
        self.value
            .parse::<jiff::SignedDuration>()
            .ok()
            .and_then(|duration| Duration::try_from(duration).ok())
            .ok_or_else(|| self.not("a time, as in `5s`, `500ms` or `7d`"))
    }

    pub(crate) fn number<N: std::str::FromStr>(&self) -> Result<N, BrokerError> {
        self.value.parse().map_err(|_| self.not("a number that can be"))
    }

    pub(crate) fn yes(&self) -> Result<bool, BrokerError> {
        self.value.parse().map_err(|_| self.not("`true` or `false`"))
    }

    pub(crate) fn file(&self) -> PathBuf {
        PathBuf::from(&self.value)
    }

    fn not(&self, what: &str) -> BrokerError {
        wrong(format!(
            "its setting {}={:?} is not {what}",
            self.name, self.value
        ))
    }
}

fn host(host: &str) -> Result<String, BrokerError> {
    let host = host.trim();
    // An address of version 6 stands in brackets, colons and all.
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, Some(port)),
        _ => (host, None),
    };
    if name.is_empty() {
        return Err(wrong("it names no host"));
    }
    if let Some(port) = port
        && !port.parse::<u16>().is_ok_and(|port| port != 0)
    {
        return Err(wrong(format!("its port {port:?} is no number from 1 to 65,535")));
    }
    Ok(host.to_owned())
}

fn decoded(text: &str, what: &str) -> Result<String, BrokerError> {
    percent_decode_str(text)
        .decode_utf8()
        .map(Into::into)
        .map_err(|_| wrong(format!("its {what} is not UTF-8")))
}

fn wrong(reason: impl Into<String>) -> BrokerError {
    BrokerError::Url {
        reason: reason.into(),
    }
}

impl fmt::Debug for BrokerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BrokerUrl")
            .field("scheme", &self.scheme)
            .field("hosts", &self.hosts)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_part_is_read() {
        let url =
            BrokerUrl::parse("amqps://us%40er:p%3Ass@one:1,[::1]:2,three/v%2fh?queues=3&ca=%2Fa").unwrap();
        assert_eq!(url.scheme(), "amqps");
        assert_eq!(url.hosts, ["one:1", "[::1]:2", "three"]);
        assert_eq!(
            (url.user.as_deref(), url.password.as_deref()),
            (Some("us@er"), Some("p:ss"))
        );
        assert_eq!(url.path, "v/h");
        let settings: Vec<_> = url.settings.iter().map(|s| (&*s.name, &*s.value)).collect();
        assert_eq!(settings, [("queues", "3"), ("ca", "/a")]);
        assert!(!format!("{url:?}").contains("p:ss"));
    }

    #[test]
    fn what_can_t_be_is_named() {
        for (url, said) in [
            ("localhost:4222", "scheme"),
            ("NATS://a", "scheme"),
            ("nats://", "no host"),
            ("nats://:1", "no host"),
            ("nats://a,", "no host"),
            ("nats://a:b", "port"),
            ("nats://a:0", "port"),
            ("nats://a:65536", "port"),
            ("nats://a?queues", "queues"),
            ("nats://%ff@a", "user"),
            ("nats://u:%ff@a", "password"),
        ] {
            let error = BrokerUrl::parse(url).unwrap_err().to_string();
            assert!(error.contains(said), "{url}: {error}");
        }
        let error = BrokerUrl::parse("nats://u:secret@a:b").unwrap_err();
        assert!(!format!("{error} {error:?}").contains("secret"));
    }

    proptest! {
        #[test]
        fn nothing_panics(url in "\\PC{0,60}", parts in "[a-z]{1,4}://[a-z:@/?&=%,\\[\\]0-9]{0,40}") {
            let _ = BrokerUrl::parse(&url);
            let _ = BrokerUrl::parse(&parts);
        }
    }
}
