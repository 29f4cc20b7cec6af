//! Columns in Postgres's binary form, read by hand: this is the innermost loop of relay and queue, and a text that can't
//! be read must not fail a page.

use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::types::Oid;
use sqlx::postgres::{PgArgumentBuffer, PgHasArrayType, PgRow, PgTypeInfo, PgValueFormat, Postgres};
use sqlx::{Encode, Row as _, Type, ValueRef as _};

use crate::stored_row::Unreadable;

pub(crate) fn optional(row: &PgRow, column: usize) -> Result<Option<&[u8]>, Unreadable> {
    let value = row.try_get_raw(column).map_err(|_| Unreadable("column"))?;
    if value.is_null() {
        return Ok(None);
    }
    match value.format() {
        PgValueFormat::Binary => Ok(value.as_bytes().ok()),
        PgValueFormat::Text => Err(Unreadable("text format")),
    }
}

pub(crate) fn bytes<'r>(row: &'r PgRow, column: usize, name: &'static str) -> Result<&'r [u8], Unreadable> {
    optional(row, column)?.ok_or(Unreadable(name))
}

pub(crate) fn i64_of(bytes: &[u8]) -> Result<i64, Unreadable> {
    let bytes = bytes.try_into().map_err(|_| Unreadable("bigint"))?;
    Ok(i64::from_be_bytes(bytes))
}

/// A signed integer of so many bytes.
pub(crate) fn integer<const BYTES: usize>(
    row: &PgRow,
    column: usize,
    name: &'static str,
) -> Result<i64, Unreadable> {
    let bytes: &[u8; BYTES] = bytes(row, column, name)?
        .try_into()
        .map_err(|_| Unreadable(name))?;
    let negative = bytes[0] & 0x80 != 0;
    let mut wide = [if negative { 0xff } else { 0 }; 8];
    wide[8 - BYTES..].copy_from_slice(bytes);
    Ok(i64::from_be_bytes(wide))
}

/// Postgres counts microseconds from 2000-01-01; this many after 1970-01-01.
const EPOCH: i64 = 946_684_800_000_000;

/// Microseconds since 1970. Only `infinity` is cut; `-infinity` survives the way there and back.
pub(crate) fn unix(postgres: i64) -> i64 {
    postgres.saturating_add(EPOCH)
}

/// A timestamptz given as microseconds since 1970; below what Postgres knows, it is `-infinity`.
pub(crate) struct Timestamp(pub(crate) i64);

impl Type<Postgres> for Timestamp {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(Oid(1184))
    }
}

impl Encode<'_, Postgres> for Timestamp {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        buffer.extend_from_slice(&self.0.saturating_sub(EPOCH).to_be_bytes());
        Ok(IsNull::No)
    }
}

impl PgHasArrayType for Timestamp {
    fn array_type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(Oid(1185))
    }
}
