use outbox_core::relay::StoreError;

use crate::stored_row::Unreadable;

/// What can go wrong between the relay and its database beyond what the database itself says.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Trouble {
    /// What the database or the driver said.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    /// A call before `open`, or after an error.
    #[cfg(any(feature = "postgres", feature = "mysql"))]
    #[error("there is no connection; open one first")]
    NotOpen,
    /// No answer in time: the network or the server is gone without a word.
    #[cfg(any(feature = "postgres", feature = "mysql"))]
    #[error("no answer within {0:?}")]
    TimedOut(std::time::Duration),
    /// A standby, or a server that was set to read only.
    #[cfg(any(feature = "postgres", feature = "mysql"))]
    #[error("the server takes no writes: it is a standby or set to read only")]
    ReadOnly,
    /// A column is not what the statement asked for.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// Rows came in another order than the position needs.
    #[error("the database answered with row {id} after row {after}")]
    OutOfOrder {
        /// The row,
        id: i64,
        /// and the one it came after.
        after: i64,
    },
    /// Nothing that trying again would help.
    #[error("{0}")]
    Unusable(String),
}

impl Trouble {
    /// What is missing, and how to get it.
    pub(crate) fn not_installed(database: &str) -> Self {
        Self::Unusable(format!(
            "its tables are not there; run the migrations: `outbox-relay migrate`, or the files that \
             `outbox-relay schema {database}` prints{}",
            match database {
                "postgres" =>
                    ". If they have been run, the connect options lead to another database or schema \
                     (the relay's own connection doesn't run the pool's `after_connect`: put a search_path into \
                     the connect options or the role)",
                _ => "",
            }
        ))
    }

    /// Checks the version that the database says it has.
    pub(crate) fn check_version(found: i64, database: &str) -> Result<(), Self> {
        use std::cmp::Ordering;
        let wanted = super::SCHEMA_VERSION;
        match found.cmp(&wanted) {
            Ordering::Equal => Ok(()),
            Ordering::Less => Err(Self::Unusable(format!(
                "its schema has version {found}, this relay needs version {wanted}; run the migrations: \
                 `outbox-relay migrate`, or the files that `outbox-relay schema {database}` prints"
            ))),
            Ordering::Greater => Err(Self::Unusable(format!(
                "its schema has version {found}, newer than version {wanted} of this relay; run a newer relay"
            ))),
        }
    }
}

impl From<Trouble> for StoreError {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Unusable(reason) => Self::Unusable { reason },
            Trouble::Database(sqlx::Error::Database(error)) => match lasting(&*error) {
                Some(remedy) => Self::Unusable {
                    reason: format!("{}; {remedy}", error.message()),
                },
                None => Self::Unavailable(Box::new(sqlx::Error::Database(error))),
            },
            Trouble::Database(error) => Self::Unavailable(Box::new(error)),
            other => Self::Unavailable(Box::new(other)),
        }
    }
}

/// What to do about an error that won't pass by itself.
fn lasting(error: &dyn sqlx::error::DatabaseError) -> Option<&'static str> {
    #[cfg(feature = "postgres")]
    if let Some(error) = error.try_downcast_ref::<sqlx::postgres::PgDatabaseError>() {
        return lasting_on_postgres(error.code());
    }
    #[cfg(feature = "mysql")]
    if let Some(error) = error.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>() {
        return lasting_on_mysql(error.number());
    }
    let _ = error;
    None
}

/// By Postgres's error code. (<https://www.postgresql.org/docs/current/errcodes-appendix.html>)
#[cfg(feature = "postgres")]
fn lasting_on_postgres(code: &str) -> Option<&'static str> {
    match code {
        // undefined_table, undefined_column, undefined_function, undefined_object, invalid_schema_name
        "42P01" | "42703" | "42883" | "42704" | "3F000" => Some(
            "run the migrations: `outbox-relay migrate`, or the files that `outbox-relay schema postgres` prints",
        ),
        // datatype_mismatch, undefined ON CONFLICT target
        "42804" | "42P10" => {
            Some("the outbox tables are not those of the migrations: compare `outbox-relay schema postgres`")
        }
        // insufficient_privilege
        "42501" => Some(
            "grant the relay's role SELECT, INSERT, UPDATE and DELETE on the outbox tables and SELECT on \
             the sequence of outbox.id",
        ),
        _ => None,
    }
}

/// By the number of MySQL's error. (<https://dev.mysql.com/doc/mysql-errors/8.4/en/server-error-reference.html>)
#[cfg(feature = "mysql")]
fn lasting_on_mysql(number: u16) -> Option<&'static str> {
    match number {
        // no database selected, unknown database
        1046 | 1049 => Some("name the database that has the outbox's tables in the URL"),
        // unknown column, no such table
        1054 | 1146 => Some(
            "run the migrations: `outbox-relay migrate`, or the files that `outbox-relay schema mysql` prints",
        ),
        // access denied: to the database, to a table, to a column
        1044 | 1142 | 1143 => {
            Some("grant the relay's user SELECT, INSERT, UPDATE and DELETE on the outbox tables")
        }
        _ => None,
    }
}
