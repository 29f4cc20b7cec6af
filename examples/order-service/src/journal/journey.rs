use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use outbox_core::MessageId;
use outbox_sqlx::confirmations::{Confirmations, Standing};
use outbox_sqlx::dead_letters::{DeadLetterFilter, DeadLetters};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::Statements;
use crate::database::{Pools, ServiceDatabase};
use crate::ids::{OrderId, SubOrderId};
use crate::store_error::StoreError;

/// How far a message has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum StepState {
    /// In the outbox, or in the queue: nobody who was asked has handled it.
    Sent,
    /// The queue has it, and not all who have to confirm it have.
    Delivered,
    /// Somebody has handled it, and nobody was asked to confirm it.
    Handled,
    /// All who have to have confirmed it.
    Confirmed,
    /// It could not be delivered or handled, and waits for a decision.
    Dead,
}

/// The journey of one message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Step {
    /// The message.
    pub message_id: Uuid,
    /// Its topic.
    pub topic: String,
    /// What it says, in a word.
    pub name: String,
    /// The sub-order that it is about, if it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sub_order_id: Option<SubOrderId>,
    /// The trace it belongs to, from the request that caused it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
    /// How far it has come.
    pub state: StepState,
    /// When it was committed, in milliseconds since 1970.
    pub sent_at: i64,
    /// When the queue took it, in milliseconds since 1970; known while it waits to be confirmed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivered_at: Option<i64>,
    /// How often it was sent again, for want of confirmations.
    pub resends: u32,
    /// Who has handled it.
    pub handled: Vec<Handling>,
    /// Who still has to confirm it.
    pub missing: Vec<String>,
    /// Why it is dead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// A group's part in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Handling {
    /// The group.
    pub group: String,
    /// When its effect was committed, in milliseconds since 1970.
    pub handled_at: i64,
    /// At which attempt.
    pub attempt: u32,
    /// When the sender had its confirmation, in milliseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confirmed_at: Option<i64>,
}

/// What can be asked of the journal.
#[async_trait]
pub trait Journal: Send + Sync + 'static {
    /// The journeys of an order's messages, in the order in which these were sent.
    async fn of_order(&self, order: OrderId) -> Result<Vec<Step>, StoreError>;

    /// A number that grows whenever something was sent or handled.
    async fn position(&self) -> Result<i64, StoreError>;
}

#[async_trait]
impl<DB: ServiceDatabase> Journal for Pools<DB> {
    async fn of_order(&self, order: OrderId) -> Result<Vec<Step>, StoreError> {
        let sent = {
            let mut connection = self.read.acquire().await?;
            Statements::sent_of_order(&mut *connection, order.0).await?
        };
        let confirmations = Confirmations::new(self.read.clone());
        let mut standings = Vec::with_capacity(sent.len());
        for (message, ..) in &sent {
            standings.push(confirmations.of(MessageId(*message)).await?);
        }
        // After that: whoever has confirmed a message by then is among those who have handled it.
        let handled = {
            let mut connection = self.read.acquire().await?;
            Statements::handled_of_order(&mut *connection, order.0).await?
        };
        let dead_letters = DeadLetters::new(self.read.clone());
        let mut steps = Vec::with_capacity(sent.len());
        for ((message, sub_order, topic, name, trace_id, sent_at), standing) in
            sent.into_iter().zip(standings)
        {
            let handled: Vec<Handling> = handled
                .iter()
                .filter(|(of, ..)| *of == message)
                .map(|(_, group, attempt, at)| Handling {
                    confirmed_at: confirmed_at(&standing, group),
                    group: group.clone(),
                    handled_at: at / 1_000,
                    attempt: u32::try_from(*attempt).unwrap_or(1),
                })
                .collect();
            let mut step = Step {
                message_id: message,
                topic,
                name,
                sub_order_id: sub_order.map(SubOrderId),
                trace_id,
                state: StepState::Sent,
                sent_at: sent_at / 1_000,
                delivered_at: None,
                resends: 0,
                handled,
                missing: Vec::new(),
                error: None,
            };
            if let Some(awaiting) = standing.awaiting {
                step.state = StepState::Delivered;
                step.delivered_at = Some(millis(awaiting.since));
                step.resends = awaiting.resends;
                step.missing = awaiting.missing;
            } else if !standing.confirmed.is_empty() {
                step.state = StepState::Confirmed;
            } else if !step.handled.is_empty() {
                step.state = StepState::Handled;
            }
            if matches!(step.state, StepState::Sent | StepState::Delivered) {
                let filter = DeadLetterFilter::new().message(MessageId(message));
                if let Some(letter) = dead_letters.list(&filter, None, 1).await?.letters.pop() {
                    step.state = StepState::Dead;
                    step.error = letter.last_error;
                }
            }
            steps.push(step);
        }
        Ok(steps)
    }

    async fn position(&self) -> Result<i64, StoreError> {
        let mut connection = self.read.acquire().await?;
        Ok(Statements::position(&mut *connection).await?.0)
    }
}

fn confirmed_at(standing: &Standing, group: &str) -> Option<i64> {
    let confirmed = standing
        .confirmed
        .iter()
        .find(|confirmed| confirmed.group == group)?;
    Some(millis(confirmed.at))
}

fn millis(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
