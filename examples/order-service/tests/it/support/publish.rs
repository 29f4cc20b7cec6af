use order_service::database::Database;
use outbox_core::Message;
use outbox_sqlx::{Outbox, OutboxDatabase, OutboxError};
use sqlx::Pool;

use super::Place;

/// Publishes messages through the outbox, all at once, as a module of the test's own.
pub(crate) async fn publish(place: &Place, messages: Vec<Message>) {
    let database = place.open().await;
    let published = match &database {
        Database::MySql(pools) => through(&pools.write, messages).await,
        Database::Postgres(pools) => through(&pools.write, messages).await,
        Database::Sqlite(pools) => through(&pools.write, messages).await,
    };
    published.unwrap();
    database.close().await;
}

async fn through<DB: OutboxDatabase>(pool: &Pool<DB>, messages: Vec<Message>) -> Result<(), OutboxError> {
    let outbox = Outbox::new();
    outbox
        .transaction(pool, async |tx| outbox.publish_all(tx, messages).await.map(drop))
        .await
}
