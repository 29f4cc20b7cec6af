//! Columns as the database gave them. Texts are read as their bytes: SQLite takes any, MySQL keeps what it was told to
//! keep, and one that can't be read must not fail a page.

use sqlx::{ColumnIndex, Decode, Row, ValueRef as _};

use crate::stored_row::Unreadable;

pub(crate) fn optional<'r, R, T>(
    row: &'r R,
    column: usize,
    name: &'static str,
) -> Result<Option<T>, Unreadable>
where
    R: Row,
    usize: ColumnIndex<R>,
    T: Decode<'r, R::Database>,
{
    let value = row.try_get_raw(column).map_err(|_| Unreadable(name))?;
    if value.is_null() {
        return Ok(None);
    }
    T::decode(value).map(Some).map_err(|_| Unreadable(name))
}

pub(crate) fn bytes<'r, R>(row: &'r R, column: usize, name: &'static str) -> Result<&'r [u8], Unreadable>
where
    R: Row,
    usize: ColumnIndex<R>,
    &'r [u8]: Decode<'r, R::Database>,
{
    optional(row, column, name)?.ok_or(Unreadable(name))
}

pub(crate) fn integer<'r, R>(row: &'r R, column: usize, name: &'static str) -> Result<i64, Unreadable>
where
    R: Row,
    usize: ColumnIndex<R>,
    i64: Decode<'r, R::Database>,
{
    optional(row, column, name)?.ok_or(Unreadable(name))
}
