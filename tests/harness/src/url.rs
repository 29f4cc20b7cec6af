//! The little that the harness has to know of the URLs of servers.

use crate::HarnessError;

/// What URLs of PostgreSQL begin with.
pub(crate) const POSTGRES: &[&str] = &["postgres", "postgresql"];

/// What URLs of MySQL and MariaDB begin with.
pub(crate) const MYSQL: &[&str] = &["mysql", "mariadb"];

/// What URLs of Redis begin with.
pub(crate) const REDIS: &[&str] = &["redis"];

const DATABASES: &[&str] = &["postgres", "postgresql", "mysql", "mariadb"];

const ALL: &[&str] = &["postgres", "postgresql", "mysql", "mariadb", "redis"];

/// The same URL with another database.
///
/// # Errors
///
/// [`HarnessError::BadInput`] when it is no `postgres://` or `mysql://` URL.
pub fn with_database(url: &str, database: &str) -> Result<String, HarnessError> {
    let parts = Parts::of(url, DATABASES)?;
    let query = parts.query.map(|query| format!("?{query}")).unwrap_or_default();
    Ok(format!(
        "{}://{}/{database}{query}",
        parts.scheme, parts.authority
    ))
}

/// The URL as it may be shown: its password is replaced by `***`.
pub fn without_password(url: &str) -> String {
    let Ok(parts) = Parts::of(url, ALL) else {
        return "(not a postgres://, mysql:// or redis:// URL)".to_owned();
    };
    let Some((user, _, host)) = parts.password() else {
        return url.to_owned();
    };
    let path = parts.path.map(|path| format!("/{path}")).unwrap_or_default();
    format!("{}://{user}:***@{host}{path}", parts.scheme)
}

/// A `postgres://` URL without its password, and the password: arguments of a process can be read by everybody on the
/// machine, its environment can't.
pub(crate) fn split_password(url: &str) -> Result<(String, Option<String>), HarnessError> {
    let parts = Parts::of(url, POSTGRES)?;
    let Some((user, password, host)) = parts.password() else {
        return Ok((url.to_owned(), None));
    };
    let rest = url
        .split_once("://")
        .and_then(|(_, rest)| rest.get(parts.authority.len()..))
        .unwrap_or_default();
    Ok((
        format!("{}://{user}@{host}{rest}", parts.scheme),
        Some(decode(password)),
    ))
}

/// The parts of a URL, for clients that want each as an argument of its own.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) host: String,
    pub(crate) port: Option<String>,
    pub(crate) user: Option<String>,
    pub(crate) password: Option<String>,
    pub(crate) database: Option<String>,
}

impl Address {
    /// Takes a URL of one of the schemes apart.
    pub(crate) fn of(url: &str, schemes: &[&str]) -> Result<Self, HarnessError> {
        let parts = Parts::of(url, schemes)?;
        let (credentials, place) = match parts.authority.rsplit_once('@') {
            Some((credentials, place)) => (Some(credentials), place),
            None => (None, parts.authority),
        };
        let (user, password) = match credentials.map(|text| text.split_once(':').unwrap_or((text, ""))) {
            Some((user, password)) => (Some(decode(user)), Some(decode(password))),
            None => (None, None),
        };
        // An IPv6 address has colons of its own and stands in brackets.
        let (host, port) = match place.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, Some(port.to_owned())),
            _ => (place, None),
        };
        let non_empty = |text: String| (!text.is_empty()).then_some(text);
        Ok(Self {
            host: decode(host.trim_start_matches('[').trim_end_matches(']')),
            port,
            user: user.and_then(non_empty),
            password: password.and_then(non_empty),
            database: parts.path.map(decode).and_then(non_empty),
        })
    }
}

struct Parts<'a> {
    scheme: &'a str,
    authority: &'a str,
    path: Option<&'a str>,
    query: Option<&'a str>,
}

impl<'a> Parts<'a> {
    fn of(url: &'a str, schemes: &[&str]) -> Result<Self, HarnessError> {
        let (scheme, rest) = url
            .split_once("://")
            .filter(|(scheme, _)| schemes.contains(scheme))
            .ok_or_else(|| {
                let scheme = schemes.first().unwrap_or(&"postgres");
                HarnessError::BadInput(format!("expected a URL like {scheme}://user@host:port/database"))
            })?;
        let (rest, query) = rest
            .split_once('?')
            .map_or((rest, None), |(rest, query)| (rest, Some(query)));
        let (authority, path) = rest
            .split_once('/')
            .map_or((rest, None), |(host, path)| (host, Some(path)));
        Ok(Self {
            scheme,
            authority,
            path,
            query,
        })
    }

    /// User, password and host, when there is a password.
    fn password(&self) -> Option<(&'a str, &'a str, &'a str)> {
        let (credentials, host) = self.authority.rsplit_once('@')?;
        let (user, password) = credentials.split_once(':')?;
        Some((user, password, host))
    }
}

/// Undoes percent-encoding; what is no valid escape stays as it is.
fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let escaped = (*first == b'%').then(|| tail.get(..2)).flatten();
        let byte = escaped.and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_database_is_exchanged_and_the_rest_kept() {
        let url = "postgres://u:p%40w@h:1/old?sslmode=disable";
        assert_eq!(
            with_database(url, "new").unwrap(),
            "postgres://u:p%40w@h:1/new?sslmode=disable"
        );
        assert_eq!(
            with_database("postgresql://h", "new").unwrap(),
            "postgresql://h/new"
        );
    }

    #[test]
    fn a_password_is_neither_shown_nor_passed_as_argument() {
        let url = "postgres://u:p%40w@h:1/db?sslmode=disable";
        assert_eq!(without_password(url), "postgres://u:***@h:1/db");
        let (shown, password) = split_password(url).unwrap();
        assert_eq!(shown, "postgres://u@h:1/db?sslmode=disable");
        assert_eq!(password.as_deref(), Some("p@w"));
        assert_eq!(
            split_password("postgres://u@h/db").unwrap(),
            ("postgres://u@h/db".to_owned(), None)
        );
    }

    #[test]
    fn clients_without_urls_get_its_parts() {
        assert_eq!(
            Address::of("mysql://u:p%40w@h:1/db?ssl-mode=disabled", MYSQL).unwrap(),
            Address {
                host: "h".to_owned(),
                port: Some("1".to_owned()),
                user: Some("u".to_owned()),
                password: Some("p@w".to_owned()),
                database: Some("db".to_owned()),
            }
        );
        let bare = Address::of("mysql://[::1]/", MYSQL).unwrap();
        assert_eq!(
            (bare.host.as_str(), bare.port, bare.database),
            ("::1", None, None)
        );
        assert_eq!(
            Address::of("mariadb://root@[::1]:7/d", MYSQL).unwrap().port,
            Some("7".to_owned())
        );
    }

    #[test]
    fn another_scheme_is_refused_without_repeating_its_secrets() {
        let refused = [
            with_database("redis://u:secret@h/db", "x").map(drop),
            split_password("mysql://u:secret@h/db").map(drop),
            Address::of("postgres://u:secret@h/db", MYSQL).map(drop),
        ];
        for error in refused.map(|result| result.unwrap_err().to_string()) {
            assert!(
                error.contains("expected a URL like") && !error.contains("secret"),
                "{error}"
            );
        }
        assert!(!without_password("amqp://u:secret@h/db").contains("secret"));
        assert_eq!(without_password("redis://:secret@h/1"), "redis://:***@h/1");
    }
}
