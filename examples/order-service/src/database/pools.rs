use sqlx::{Database, Pool};

/// The connections to a database. Clones share them.
#[derive(Debug)]
pub struct Pools<DB: Database> {
    /// For every transaction that writes.
    pub write: Pool<DB>,
    /// For what only reads; the same pool, where there is no reason for another one.
    pub read: Pool<DB>,
}

impl<DB: Database> Pools<DB> {
    /// One pool for everything.
    pub(super) fn one(pool: Pool<DB>) -> Self {
        Self {
            read: pool.clone(),
            write: pool,
        }
    }

    pub(super) async fn close(&self) {
        self.read.close().await;
        self.write.close().await;
    }
}

impl<DB: Database> Clone for Pools<DB> {
    fn clone(&self) -> Self {
        Self {
            write: self.write.clone(),
            read: self.read.clone(),
        }
    }
}
