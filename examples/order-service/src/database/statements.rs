//! How a module says what it asks of a database, once for all three.

/// Declares a module's statements: a trait with a method per file of `sql/<database>/<module>/`, implemented by the
/// connections of each database. A method is named as its file, takes the statement's parameters in their order, and says
/// what comes back:
///
/// * `Changed`: how many rows were changed,
/// * `One<Row>`, `Optional<Row>`, `All<Row>`: the rows themselves, as tuples of their columns.
///
/// A service of your own has one database, and writes `sqlx::query(include_str!(…)).bind(…)` where this has a method.
macro_rules! statements {
    ($module:literal, $(#[$meta:meta])* $vis:vis trait $name:ident { $($methods:tt)* }) => {
        $crate::database::statements!(@trait [$(#[$meta])* $vis] $name { $($methods)* });
        $crate::database::statements!(@impl "sqlite", sqlx::SqliteConnection, $module, $name { $($methods)* });
        $crate::database::statements!(@impl "postgres", sqlx::PgConnection, $module, $name { $($methods)* });
        $crate::database::statements!(@impl "mysql", sqlx::MySqlConnection, $module, $name { $($methods)* });
    };
    (@trait [$($head:tt)*] $name:ident { $(
        $(#[$doc:meta])*
        fn $method:ident(&mut self $(, $arg:ident: $type:ty)* $(,)?) -> $answer:ident $(<$row:ty>)?;
    )* }) => {
        $($head)* trait $name: Send { $(
            $(#[$doc])*
            #[allow(clippy::too_many_arguments, reason = "as many as the statement has parameters")]
            fn $method(&mut self $(, $arg: $type)*)
                -> impl Future<Output = sqlx::Result<$crate::database::statements!(@type $answer $(<$row>)?)>> + Send;
        )* }
    };
    (@impl $database:literal, $connection:ty, $module:literal, $name:ident { $(
        $(#[$doc:meta])*
        fn $method:ident(&mut self $(, $arg:ident: $type:ty)* $(,)?) -> $answer:ident $(<$row:ty>)?;
    )* }) => {
        impl $name for $connection { $(
            async fn $method(&mut self $(, $arg: $type)*)
                -> sqlx::Result<$crate::database::statements!(@type $answer $(<$row>)?)>
            {
                const SQL: &str = include_str!(concat!(
                    env!("CARGO_MANIFEST_DIR"), "/sql/", $database, "/", $module, "/", stringify!($method), ".sql"
                ));
                $crate::database::statements!(@run $answer, SQL, self $(, $arg)*)
            }
        )* }
    };
    (@type Changed) => { u64 };
    (@type One<$row:ty>) => { $row };
    (@type Optional<$row:ty>) => { Option<$row> };
    (@type All<$row:ty>) => { Vec<$row> };
    (@run Changed, $sql:ident, $connection:expr $(, $arg:ident)*) => {
        Ok(sqlx::query($sql)$(.bind($arg))*.execute($connection).await?.rows_affected())
    };
    (@run One, $sql:ident, $connection:expr $(, $arg:ident)*) => {
        sqlx::query_as($sql)$(.bind($arg))*.fetch_one($connection).await
    };
    (@run Optional, $sql:ident, $connection:expr $(, $arg:ident)*) => {
        sqlx::query_as($sql)$(.bind($arg))*.fetch_optional($connection).await
    };
    (@run All, $sql:ident, $connection:expr $(, $arg:ident)*) => {
        sqlx::query_as($sql)$(.bind($arg))*.fetch_all($connection).await
    };
}
pub(crate) use statements;
