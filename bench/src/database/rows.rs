use std::fmt::Write;

/// The most rows of one INSERT here; SQLite takes 32,766 parameters, MySQL 65,535.
pub(crate) const ROWS_MAX: usize = 1_000;

/// The INSERT of n rows, at n, from the one of a single row.
pub(crate) fn many(one: &str) -> Vec<String> {
    let (insert, row) = one.trim_end().split_once("VALUES ").unwrap_or((one, ""));
    let mut statement = format!("{insert}VALUES {row}");
    let mut all = vec![String::new(), statement.clone()];
    while all.len() <= ROWS_MAX {
        let _ = write!(statement, ", {row}");
        all.push(statement.clone());
    }
    all
}
