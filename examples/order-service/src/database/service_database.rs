use idempotency::LedgerDatabase;
use outbox_sqlx::queue::QueueDatabase;
use sqlx::Database;

use crate::{inventory, journal, loyalty, orders, payment, shipping};

/// A database that the service can live in: the framework knows it, and each module knows what to say to it. Code that is
/// generic over the database asks for this and nothing more. A service of your own has one database, and no need of it.
pub trait ServiceDatabase:
    QueueDatabase
    + LedgerDatabase
    + Database<
        Connection: orders::Statements
                        + inventory::Statements
                        + payment::Statements
                        + shipping::Statements
                        + loyalty::Statements
                        + journal::Statements,
    >
{
}

impl<DB> ServiceDatabase for DB
where
    DB: QueueDatabase + LedgerDatabase,
    DB::Connection: orders::Statements
        + inventory::Statements
        + payment::Statements
        + shipping::Statements
        + loyalty::Statements
        + journal::Statements,
{
}
