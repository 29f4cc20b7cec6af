//! Columns as SQLite keeps them. Texts are read as their bytes: SQLite takes any, and one that can't be read must not fail
//! a page.

use sqlx::sqlite::{Sqlite, SqliteRow};
use sqlx::{Decode, Row as _, ValueRef as _};

use crate::stored_row::Unreadable;

pub(crate) fn optional<'r, T>(
    row: &'r SqliteRow,
    column: usize,
    name: &'static str,
) -> Result<Option<T>, Unreadable>
where
    T: Decode<'r, Sqlite>,
{
    let value = row.try_get_raw(column).map_err(|_| Unreadable(name))?;
    if value.is_null() {
        return Ok(None);
    }
    T::decode(value).map(Some).map_err(|_| Unreadable(name))
}

pub(crate) fn bytes<'r>(
    row: &'r SqliteRow,
    column: usize,
    name: &'static str,
) -> Result<&'r [u8], Unreadable> {
    optional(row, column, name)?.ok_or(Unreadable(name))
}

pub(crate) fn integer(row: &SqliteRow, column: usize, name: &'static str) -> Result<i64, Unreadable> {
    optional(row, column, name)?.ok_or(Unreadable(name))
}
