use outbox_core::Message;
use outbox_sqlx::{Outbox, OutboxError};

async fn publishes_apart_from_its_order(outbox: Outbox, mut pool: sqlx::PgPool) -> Result<(), OutboxError> {
    outbox.publish(&mut pool, Message::builder("orders.placed")).await?;
    Ok(())
}

fn main() {}
