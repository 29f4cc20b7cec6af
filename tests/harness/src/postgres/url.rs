//! The little that the harness has to know of `postgres://` URLs.

use crate::HarnessError;

/// The same URL with another database.
///
/// # Errors
///
/// [`HarnessError::BadInput`] when it is no `postgres://` URL.
pub fn with_database(url: &str, database: &str) -> Result<String, HarnessError> {
    let parts = Parts::of(url)?;
    let query = parts.query.map(|query| format!("?{query}")).unwrap_or_default();
    Ok(format!(
        "{}://{}/{database}{query}",
        parts.scheme, parts.authority
    ))
}

/// The URL as it may be shown: its password is replaced by `***`.
pub fn without_password(url: &str) -> String {
    match Parts::of(url).map(|parts| (parts.password(), parts)) {
        Ok((None, _)) => url.to_owned(),
        Ok((Some((user, _, host)), parts)) => {
            let path = parts.path.map(|path| format!("/{path}")).unwrap_or_default();
            format!("{}://{user}:***@{host}{path}", parts.scheme)
        }
        Err(_) => "(not a postgres:// URL)".to_owned(),
    }
}

/// The URL without its password, and the password as written: arguments of a process can be read by everybody on the
/// machine, its environment can't.
pub(crate) fn split_password(url: &str) -> Result<(String, Option<String>), HarnessError> {
    let parts = Parts::of(url)?;
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

struct Parts<'a> {
    scheme: &'a str,
    authority: &'a str,
    path: Option<&'a str>,
    query: Option<&'a str>,
}

impl<'a> Parts<'a> {
    fn of(url: &'a str) -> Result<Self, HarnessError> {
        let (scheme, rest) = url
            .split_once("://")
            .filter(|(scheme, _)| ["postgres", "postgresql"].contains(scheme))
            .ok_or_else(|| {
                HarnessError::BadInput("expected a URL like postgres://user@host:port/database".to_owned())
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
    fn another_scheme_is_refused_without_repeating_its_secrets() {
        let error = with_database("mysql://u:secret@h/db", "x")
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("postgres://") && !error.contains("secret"),
            "{error}"
        );
        assert!(!without_password("mysql://u:secret@h/db").contains("secret"));
    }
}
