use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use idempotency::Idempotency;
use idempotency::consumer::{IdempotentHandler, PreparedHandler};
use outbox_core::consumer::{BatchHandler, Consumer, HandleError, Handler};
use outbox_core::{Delivery, Message};
use outbox_sqlx::OutboxTransaction;
use tracing::Instrument;

use super::queue::{HANDLER_TIMEOUT, Queue};
use super::{Messenger, trace};
use crate::database::ServiceDatabase;
use crate::faults::Faults;
use crate::journal;

/// How many messages a module handles at the same time, each of another key.
const CONCURRENCY: usize = 8;

tokio::task_local! {
    /// Which attempt the handling at hand is.
    static ATTEMPT: u32;
}

/// One module as a consumer group.
#[derive(Clone)]
pub struct Module {
    /// The group.
    pub group: &'static str,
    /// What it hears.
    pub topics: &'static [&'static str],
    /// What it does with it.
    pub handler: ModuleHandler,
}

/// What a module does with messages.
#[derive(Clone)]
pub enum ModuleHandler {
    /// One by one.
    Each(Arc<dyn Handler>),
    /// Many at a time.
    Batches(Arc<dyn BatchHandler>),
}

/// What the consumers of modules have in common.
#[derive(Debug, Clone)]
pub struct Hearing<DB: ServiceDatabase> {
    /// Drops what was handled before, in the same transaction as the effects.
    pub idempotency: Idempotency<DB>,
    /// What modules answer through.
    pub messenger: Messenger,
    /// What is to go wrong, for the playground.
    pub faults: Faults,
}

impl<DB: ServiceDatabase> Hearing<DB> {
    /// A module that hears messages in transactions.
    ///
    /// # Errors
    /// The group's name can't be one.
    pub fn module<H>(
        &self,
        group: &'static str,
        topics: &'static [&'static str],
        handler: H,
    ) -> anyhow::Result<Module>
    where
        H: IdempotentHandler<DB, Messenger>,
    {
        let noted = Noted { group, handler };
        let once = self.idempotency.consumer(group, self.messenger.clone(), noted)?;
        Ok(self.traced(group, topics, once))
    }

    /// A module that has something to do elsewhere before each of its transactions.
    ///
    /// # Errors
    /// The group's name can't be one.
    pub fn prepared_module<H>(
        &self,
        group: &'static str,
        topics: &'static [&'static str],
        handler: H,
    ) -> anyhow::Result<Module>
    where
        H: PreparedHandler<DB, Messenger>,
    {
        let noted = Noted { group, handler };
        let once = self
            .idempotency
            .prepared_consumer(group, self.messenger.clone(), noted)?;
        Ok(self.traced(group, topics, once))
    }

    fn traced(&self, group: &'static str, topics: &'static [&'static str], once: impl Handler) -> Module {
        let handler = Arc::new(Traced {
            group,
            faults: self.faults.clone(),
            once,
        });
        Module {
            group,
            topics,
            handler: ModuleHandler::Each(handler),
        }
    }
}

/// A consumer of what a module hears. `rate`: at most so many messages a second, however many there are.
///
/// # Errors
/// The queue can't be reached, or is closed.
pub async fn hear(queue: &Queue, module: &Module, rate: Option<u32>) -> anyhow::Result<Consumer> {
    let subscriber = queue.subscribe(module.group, module.topics).await?;
    let consumer = match &module.handler {
        ModuleHandler::Each(handler) => Consumer::builder(subscriber, Arc::clone(handler)),
        ModuleHandler::Batches(handler) => Consumer::batch_builder(subscriber, Arc::clone(handler)),
    };
    let consumer = consumer.concurrency(CONCURRENCY).handler_timeout(HANDLER_TIMEOUT);
    let consumer = match rate {
        Some(rate) => consumer.rate_limit(rate),
        None => consumer,
    };
    Ok(consumer.build()?)
}

/// Goes on with the trace that the message came with. The outermost of a module's handlers, because it alone sees which
/// attempt it is.
struct Traced<H> {
    group: &'static str,
    faults: Faults,
    once: H,
}

#[async_trait]
impl<H: Handler> Handler for Traced<H> {
    async fn handle(&self, delivery: &Delivery) -> Result<(), HandleError> {
        let message = delivery.message();
        let handling = async {
            tokio::time::sleep(self.faults.slowness(self.group)).await;
            if self.faults.is_to_fail(self.group) {
                return Err(HandleError::permanent("a fault was injected"));
            }
            let handled = self.once.handle(delivery).await;
            if handled.is_ok() {
                tracing::debug!(topic = message.topic(), id = %message.id(), "handled");
            }
            handled
        };
        let handling = ATTEMPT.scope(delivery.attempt(), handling);
        let Some(step) = trace::step(message.trace_context().as_ref()) else {
            return handling.await;
        };
        let span = tracing::info_span!("hear", group = self.group, trace_id = trace::id(&step));
        trace::within(step, handling).instrument(span).await
    }
}

/// Notes in the journal who handled what, in the transaction of the effect.
struct Noted<H> {
    group: &'static str,
    handler: H,
}

impl<H> Noted<H> {
    async fn note<DB: ServiceDatabase>(
        &self,
        tx: &mut OutboxTransaction<DB>,
        message: &Message,
    ) -> Result<(), HandleError> {
        let attempt = ATTEMPT.try_with(|attempt| *attempt).unwrap_or(1);
        Ok(journal::note_handled::<DB>(tx, message.id(), self.group, attempt).await?)
    }
}

#[async_trait]
impl<DB, H> IdempotentHandler<DB, Messenger> for Noted<H>
where
    DB: ServiceDatabase,
    H: IdempotentHandler<DB, Messenger>,
{
    async fn handle(
        &self,
        message: &Message,
        tx: &mut OutboxTransaction<DB>,
        messenger: &Messenger,
    ) -> Result<(), HandleError> {
        self.handler.handle(message, tx, messenger).await?;
        self.note(tx, message).await
    }
}

#[async_trait]
impl<DB, H> PreparedHandler<DB, Messenger> for Noted<H>
where
    DB: ServiceDatabase,
    H: PreparedHandler<DB, Messenger>,
{
    type Prepared = H::Prepared;

    async fn prepare(&self, message: &Message) -> Result<Self::Prepared, HandleError> {
        self.handler.prepare(message).await
    }

    async fn handle(
        &self,
        message: &Message,
        prepared: Self::Prepared,
        tx: &mut OutboxTransaction<DB>,
        messenger: &Messenger,
    ) -> Result<(), HandleError> {
        self.handler.handle(message, prepared, tx, messenger).await?;
        self.note(tx, message).await
    }
}

/// Shorter than the handler's timeout, so that an injected slowness stays one and does not become a failure.
pub const SLOWNESS_MAX: Duration = Duration::from_secs(3);
