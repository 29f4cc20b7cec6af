use sqlx::Row;
use uuid::Uuid;

use super::database::QueueDatabase;

/// A statement in each dialect: the file of the same name in each of the folders of `sql/`.
#[derive(Debug, Clone, Copy)]
pub struct Statement {
    #[cfg(feature = "postgres")]
    pub(crate) postgres: &'static str,
    #[cfg(feature = "sqlite")]
    pub(crate) sqlite: &'static str,
    /// Perhaps several statements, of which the last one answers.
    #[cfg(feature = "mysql")]
    pub(crate) mysql: &'static str,
}

/// The [`Statement`] of this name.
macro_rules! statement {
    ($name:literal) => {
        $crate::queue::statement::Statement {
            #[cfg(feature = "postgres")]
            postgres: transaction_scope::sql!("postgres/", $name, ".sql"),
            #[cfg(feature = "sqlite")]
            sqlite: transaction_scope::sql!("sqlite/", $name, ".sql"),
            #[cfg(feature = "mysql")]
            mysql: transaction_scope::sql!("mysql/", $name, ".sql"),
        }
    };
}
pub(crate) use statement;

/// A parameter of a statement.
#[derive(Debug, Clone, Copy)]
pub enum Arg<'a> {
    /// A number or NULL.
    Int(Option<i64>),
    /// A text or NULL.
    Text(Option<&'a str>),
    /// True or false.
    Flag(bool),
    /// A message's id.
    Id(Uuid),
}

impl From<i64> for Arg<'_> {
    fn from(value: i64) -> Self {
        Self::Int(Some(value))
    }
}

impl From<Option<i64>> for Arg<'_> {
    fn from(value: Option<i64>) -> Self {
        Self::Int(value)
    }
}

impl<'a> From<&'a str> for Arg<'a> {
    fn from(value: &'a str) -> Self {
        Self::Text(Some(value))
    }
}

impl<'a> From<&'a String> for Arg<'a> {
    fn from(value: &'a String) -> Self {
        Self::Text(Some(value))
    }
}

impl<'a> From<Option<&'a str>> for Arg<'a> {
    fn from(value: Option<&'a str>) -> Self {
        Self::Text(value)
    }
}

impl From<bool> for Arg<'_> {
    fn from(value: bool) -> Self {
        Self::Flag(value)
    }
}

impl From<Uuid> for Arg<'_> {
    fn from(value: Uuid) -> Self {
        Self::Id(value)
    }
}

/// The arguments of a statement, each made an [`Arg`].
macro_rules! args {
    ($($arg:expr),* $(,)?) => { &[$($crate::queue::statement::Arg::from($arg)),*] };
}
pub(crate) use args;

/// A row of an answer. Its columns are read by position, as the statement lists them.
pub struct Cells<DB: QueueDatabase>(pub(crate) DB::Row);

impl<DB: QueueDatabase> Cells<DB> {
    pub(crate) fn maybe_int(&self, column: usize) -> sqlx::Result<Option<i64>> {
        DB::int(&self.0, column)
    }

    pub(crate) fn int(&self, column: usize) -> sqlx::Result<i64> {
        self.maybe_int(column)?.ok_or_else(|| self.null(column))
    }

    pub(crate) fn maybe_text(&self, column: usize) -> sqlx::Result<Option<String>> {
        DB::text(&self.0, column)
    }

    pub(crate) fn text(&self, column: usize) -> sqlx::Result<String> {
        self.maybe_text(column)?.ok_or_else(|| self.null(column))
    }

    pub(crate) fn flag(&self, column: usize) -> sqlx::Result<bool> {
        DB::flag(&self.0, column)
    }

    pub(crate) fn id(&self, column: usize) -> sqlx::Result<Uuid> {
        DB::id(&self.0, column)
    }

    pub(crate) fn bytes(&self, column: usize) -> sqlx::Result<Vec<u8>> {
        DB::bytes(&self.0, column)
    }

    fn null(&self, column: usize) -> sqlx::Error {
        sqlx::Error::ColumnDecode {
            index: format!("{column} of {}", self.0.len()),
            source: "it is NULL".into(),
        }
    }
}
