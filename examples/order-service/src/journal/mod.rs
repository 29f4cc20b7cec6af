//! The journal: which messages belong to an order, and who has handled them. Written in the transactions of senders and
//! handlers, so it says neither more nor less than what is true.
//!
//! The framework knows each message by its id; which order it is about only the service knows.

mod journey;
mod statements;

pub use journey::{Handling, Journal, Step, StepState};
pub use statements::Statements;

use outbox_core::{Message, MessageId, TraceContext};
use outbox_sqlx::OutboxTransaction;
use serde_json::{Value, json};

use crate::database::ServiceDatabase;
use crate::events::Outgoing;
use crate::messaging::trace;

/// What is written of messages that are sent: a JSON array, which each database takes as one parameter.
pub fn entries<'a>(
    sent: impl Iterator<Item = (&'a Outgoing, &'a Message)>,
    trace: Option<&TraceContext>,
) -> String {
    let trace = trace.map(trace::id);
    let entry = |(outgoing, message): (&Outgoing, &Message)| {
        json!([
            message.id().0.simple(),
            outgoing.order_id().0.simple(),
            outgoing.sub_order_id().map(|id| id.0.simple()),
            message.topic(),
            outgoing.name(),
            trace,
        ])
    };
    Value::Array(sent.map(entry).collect()).to_string()
}

/// Writes down what is sent.
///
/// # Errors
/// The database refused.
pub async fn write<DB: ServiceDatabase>(
    tx: &mut OutboxTransaction<DB>,
    entries: String,
) -> Result<(), sqlx::Error> {
    Statements::insert_sent(&mut **tx, &entries).await?;
    Ok(())
}

/// Writes down that a group has handled a message.
///
/// # Errors
/// The database refused.
pub async fn note_handled<DB: ServiceDatabase>(
    tx: &mut OutboxTransaction<DB>,
    message: MessageId,
    group: &str,
    attempt: u32,
) -> Result<(), sqlx::Error> {
    Statements::insert_handled(&mut **tx, message.0, group, i64::from(attempt)).await?;
    Ok(())
}
