use anyhow::Result;
use outbox_core::{IntoMessage, MessageId};
use outbox_sqlx::Outbox;
use outbox_sqlx::queue::{LocalRecordError, SqlLocalRecord};
use sqlx::{MySql, Postgres, Sqlite, Transaction};

use crate::Backend;

/// An application's transaction that is still open, on whichever database.
pub enum Open {
    /// Postgres.
    Postgres(Transaction<'static, Postgres>),
    /// MySQL or MariaDB.
    MySql(Transaction<'static, MySql>),
    /// SQLite.
    Sqlite(Transaction<'static, Sqlite>),
}

macro_rules! on_open {
    ($open:expr, $tx:ident => $body:expr) => {
        match $open {
            Open::Postgres($tx) => $body,
            Open::MySql($tx) => $body,
            Open::Sqlite($tx) => $body,
        }
    };
}

impl Open {
    /// Begins one.
    pub async fn begin(backend: &Backend, outbox: &Outbox) -> Result<Self> {
        Ok(match backend {
            Backend::Postgres(pool) => Self::Postgres(outbox.begin(pool).await?),
            Backend::MySql(pool) => Self::MySql(outbox.begin(pool).await?),
            Backend::Sqlite(pool) => Self::Sqlite(outbox.begin(pool).await?),
        })
    }

    /// Publishes in it.
    pub async fn publish(&mut self, outbox: &Outbox, message: impl IntoMessage) -> Result<MessageId> {
        let message = message.into_message()?;
        Ok(on_open!(self, tx => outbox.publish(tx, message).await?))
    }

    /// Publishes many in it.
    pub async fn publish_all<M: IntoMessage>(
        &mut self,
        outbox: &Outbox,
        messages: impl IntoIterator<Item = M>,
    ) -> Result<Vec<MessageId>> {
        let messages: Vec<_> = messages
            .into_iter()
            .map(IntoMessage::into_message)
            .collect::<Result<_, _>>()?;
        Ok(on_open!(self, tx => outbox.publish_all(tx, messages).await?))
    }

    /// Records in it that the local work of a half message is done.
    pub async fn record(&mut self, backend: &Backend, id: MessageId) -> Result<(), LocalRecordError> {
        match (self, backend) {
            (Self::Postgres(tx), Backend::Postgres(pool)) => {
                SqlLocalRecord::new(pool.clone()).record(tx, id).await
            }
            (Self::MySql(tx), Backend::MySql(pool)) => SqlLocalRecord::new(pool.clone()).record(tx, id).await,
            (Self::Sqlite(tx), Backend::Sqlite(pool)) => {
                SqlLocalRecord::new(pool.clone()).record(tx, id).await
            }
            _ => panic!("the transaction is of another database"),
        }
    }

    /// Commits.
    pub async fn commit(self) -> Result<()> {
        on_open!(self, tx => tx.commit().await?);
        Ok(())
    }
}
