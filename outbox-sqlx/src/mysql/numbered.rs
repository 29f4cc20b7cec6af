//! Numbered parameters. MySQL knows only `?`, filled in the order of the text, so a value that is used twice would have
//! to be bound twice, and a statement's parameters would be listed in the order of its text. The files of this dialect
//! write `?1`, `?2` as SQLite's do; here that is turned into what the server understands, once for each file.
//!
//! What another database says in one statement may be several here, because an UPDATE returns no rows, and because what
//! a statement reads and what it writes may have to be of different moments. They stand in one file, divided by
//! semicolons, with the same parameters, of which each uses some.

use std::collections::HashMap;
use std::sync::{LazyLock, PoisonError, RwLock};

/// A statement as the server takes it, and which argument belongs to each `?`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Numbered {
    pub(crate) sql: String,
    /// Indexes of arguments, from 0.
    pub(crate) order: Vec<usize>,
    /// The file's next statement.
    pub(crate) then: Option<Box<Self>>,
}

/// The first statement of a file. Each is kept for the life of the process: there are as many as files.
pub(crate) fn numbered(file: &'static str) -> &'static Numbered {
    static KNOWN: LazyLock<RwLock<HashMap<&'static str, &'static Numbered>>> = LazyLock::new(RwLock::default);
    if let Some(known) = KNOWN.read().unwrap_or_else(PoisonError::into_inner).get(file) {
        return known;
    }
    KNOWN
        .write()
        .unwrap_or_else(PoisonError::into_inner)
        .entry(file)
        .or_insert_with(|| Box::leak(Box::new(parse(file))))
}

/// What follows quotes is a text until they end; there are no comments behind the first line.
fn parse(file: &str) -> Numbered {
    let mut numbered = Numbered::default();
    let mut quoted = false;
    let mut rest = file.char_indices().peekable();
    while let Some((at, next)) = rest.next() {
        match next {
            ';' if !quoted => {
                numbered.then = Some(Box::new(parse(file[at + 1..].trim_start())));
                break;
            }
            '\'' => quoted = !quoted,
            '?' if !quoted => {
                let mut number = 0;
                while let Some(digit) = rest.peek().and_then(|(_, next)| next.to_digit(10)) {
                    number = number * 10 + digit as usize;
                    rest.next();
                }
                // A bare `?` is the next one.
                numbered
                    .order
                    .push(number.checked_sub(1).unwrap_or(numbered.order.len()));
            }
            _ => {}
        }
        numbered.sql.push(next);
    }
    numbered
}

/// A query of this file with its arguments, which are bound in the order of the numbers, each as often as it is used.
macro_rules! query {
    ($file:expr $(, $arg:expr)* $(,)?) => {{
        let numbered = $crate::mysql::numbered::numbered($file);
        let mut query = sqlx::query(numbered.sql.as_str());
        for &argument in &numbered.order {
            let mut index = 0;
            $(
                if argument == index {
                    query = query.bind($arg);
                }
                index += 1;
            )*
            let _ = index;
        }
        query
    }};
}
pub(crate) use query;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_become_places() {
        let parsed = parse("SELECT ?2, '?1', ?1 WHERE a = ?2 AND b = ?10");
        assert_eq!(parsed.sql, "SELECT ?, '?1', ? WHERE a = ? AND b = ?");
        assert_eq!(parsed.order, [1, 0, 1, 9]);
        assert_eq!(parse("a = ? AND b = ?").order, [0, 1]);
    }

    #[test]
    fn a_file_may_have_several_statements() {
        let parsed = parse("UPDATE t SET a = ';' WHERE b = ?2;\nSELECT ?1, ?2");
        assert_eq!(
            (&*parsed.sql, &*parsed.order),
            ("UPDATE t SET a = ';' WHERE b = ?", &[1][..])
        );
        let then = parsed.then.unwrap();
        assert_eq!(
            (&*then.sql, &*then.order, &then.then),
            ("SELECT ?, ?", &[0, 1][..], &None)
        );
    }

    #[test]
    fn a_file_is_parsed_once() {
        let file = "SELECT ?1 + ?1";
        assert!(std::ptr::eq(numbered(file), numbered(file)));
    }
}
