use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Semaphore;

use super::word::confirmation_of;
use crate::consumer::{BatchHandler, HandleError, Handler};
use crate::message::Message;
use crate::publisher::{PublishError, PublishErrorKind, Publisher};
use crate::subscriber::Delivery;

/// How long a message waits before it comes again, when its confirmation could not be published.
const QUEUE_AWAY: Duration = Duration::from_secs(1);

/// A handler that confirms what another one has handled: for consumers without a SQL transaction, in which the
/// confirmation could be an outbox row.
///
/// It publishes the confirmation after the other handler's `Ok`, and before its own, so **before the message is
/// acknowledged**: a crash in between brings the message again, and it is confirmed again.
///
/// When the queue is away, the message is given back without an attempt ([`HandleError::not_now`]) and comes again, although
/// it was handled. When the queue refuses the confirmation, that is an attempt of the message, so that it ends. **The
/// other handler has to drop what it has handled before** and answer `Ok` to it.
///
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
/// use outbox_core::confirmation::{Confirm, Confirming};
/// use outbox_core::consumer::Consumer;
/// use outbox_core::memory::MemoryQueue;
/// use outbox_core::{Message, Publisher};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let queue = MemoryQueue::new();
/// let mut sender = queue.subscribe("sender", ["orders.confirmed"])?;
/// let handler = Confirming::new("shipping", Arc::new(queue.publisher()), |order: Message| async move {
///     println!("shipping {}", order.id());
///     Ok(())
/// });
/// let consumer = Consumer::builder(queue.subscribe("shipping", ["orders.placed"])?, handler).build()?;
/// let stop = tokio_util::sync::CancellationToken::new();
/// let running = tokio::spawn(consumer.run(stop.clone()));
///
/// let asked = Confirm::by(["shipping"], Duration::from_secs(60)).to("orders.confirmed");
/// queue.publisher().publish(&[Message::builder("orders.placed").confirm_by(asked)?.build()?]).await;
/// # use outbox_core::Subscriber;
/// assert_eq!(sender.receive(10).await?.len(), 1);
/// # stop.cancel();
/// # running.await?;
/// # Ok(())
/// # }
/// ```
pub struct Confirming<H> {
    group: Arc<str>,
    publisher: Arc<dyn Publisher>,
    /// A publisher says how many calls it takes at the same time; handlers run side by side.
    calls: Semaphore,
    handler: H,
}

impl<H> Confirming<H> {
    /// Confirms in the name of `group` what `handler` has handled, through `publisher`, which has to lead to where the senders
    /// consume.
    pub fn new(group: impl Into<Arc<str>>, publisher: Arc<dyn Publisher>, handler: H) -> Self {
        let calls = publisher
            .capabilities()
            .max_in_flight
            .clamp(1, Semaphore::MAX_PERMITS);
        Self {
            group: group.into(),
            publisher,
            calls: Semaphore::new(calls),
            handler,
        }
    }

    async fn confirm<'a>(&self, handled: impl Iterator<Item = &'a Message>) -> Result<(), HandleError> {
        // Two deliveries of one message are confirmed once: a publisher may refuse two messages of one key in a call.
        let mut seen = HashSet::new();
        let confirmations: Vec<Message> = handled
            .filter(|message| seen.insert(message.id()))
            .filter_map(|message| confirmation_of(message, &self.group))
            .collect();
        if confirmations.is_empty() {
            return Ok(());
        }
        let _call = self.calls.acquire().await?;
        for batch in confirmations.chunks(self.publisher.capabilities().max_batch.max(1)) {
            for answer in self.publisher.publish(batch).await {
                answer.map_err(not_confirmed)?;
            }
        }
        let count = confirmations.len() as u64;
        metrics::counter!("outbox_confirmations_sent_total", "group" => self.group.to_string())
            .increment(count);
        Ok(())
    }
}

fn not_confirmed(error: PublishError) -> HandleError {
    match error.kind() {
        PublishErrorKind::Unavailable => HandleError::not_now(QUEUE_AWAY, error),
        // Handled and not confirmed: the attempts bound how often that is tried.
        PublishErrorKind::Refused | PublishErrorKind::Invalid => HandleError::retryable(error),
    }
}

#[async_trait]
impl<H: Handler> Handler for Confirming<H> {
    async fn handle(&self, delivery: &Delivery) -> Result<(), HandleError> {
        self.handler.handle(delivery).await?;
        self.confirm(std::iter::once(delivery.message())).await
    }
}

#[async_trait]
impl<H: BatchHandler> BatchHandler for Confirming<H> {
    async fn handle_batch(&self, batch: &[Delivery]) -> Result<(), HandleError> {
        self.handler.handle_batch(batch).await?;
        self.confirm(batch.iter().map(Delivery::message)).await
    }
}

impl<H> fmt::Debug for Confirming<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Confirming")
            .field("group", &self.group)
            .field("publisher", &self.publisher.name())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::sync::Mutex;

    use tokio::task::JoinHandle;
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::confirmation::{Confirm, Confirmation};
    use crate::consumer::{Consumer, ConsumerBuilder, Stopped};
    use crate::memory::MemoryQueue;
    use crate::message::MessageId;
    use crate::publisher::Capabilities;
    use crate::retry::RetryPolicy;

    /// Answers its calls one after the other by what was said before, and then takes everything. It takes one call at a
    /// time, and fails the test at a second one.
    #[derive(Clone, Default)]
    struct Scripted(Arc<Mutex<Calls>>);

    #[derive(Default)]
    struct Calls {
        answers: VecDeque<PublishError>,
        under_way: bool,
        taken: Vec<Vec<MessageId>>,
    }

    impl Scripted {
        fn failing(answers: impl IntoIterator<Item = PublishError>) -> Self {
            let script = Self::default();
            script.0.lock().unwrap().answers.extend(answers);
            script
        }

        /// The messages that were confirmed, by call.
        fn taken(&self) -> Vec<Vec<MessageId>> {
            self.0.lock().unwrap().taken.clone()
        }
    }

    #[async_trait]
    impl Publisher for Scripted {
        fn name(&self) -> &str {
            "scripted"
        }

        fn capabilities(&self) -> Capabilities {
            Capabilities::new()
        }

        async fn publish(&self, batch: &[Message]) -> Vec<Result<(), PublishError>> {
            assert!(!std::mem::replace(&mut self.0.lock().unwrap().under_way, true));
            tokio::time::sleep(Duration::from_millis(1)).await;
            let mut calls = self.0.lock().unwrap();
            calls.under_way = false;
            match calls.answers.pop_front() {
                Some(error) => vec![Err(error); batch.len()],
                None => {
                    let confirmed = batch
                        .iter()
                        .map(|word| Confirmation::decode(word).unwrap().message_id);
                    let confirmed = confirmed.collect();
                    calls.taken.push(confirmed);
                    vec![Ok(()); batch.len()]
                }
            }
        }

        async fn probe(&self) -> Result<(), PublishError> {
            Ok(())
        }
    }

    /// Notes which attempt each delivery was.
    #[derive(Clone, Default)]
    struct Handled(Arc<Mutex<Vec<u32>>>);

    #[async_trait]
    impl Handler for Handled {
        async fn handle(&self, delivery: &Delivery) -> Result<(), HandleError> {
            self.0.lock().unwrap().push(delivery.attempt());
            Ok(())
        }
    }

    #[async_trait]
    impl BatchHandler for Handled {
        async fn handle_batch(&self, batch: &[Delivery]) -> Result<(), HandleError> {
            self.0.lock().unwrap().extend(batch.iter().map(Delivery::attempt));
            Ok(())
        }
    }

    fn asking() -> Message {
        let confirm = Confirm::by(["g"], Duration::from_secs(60)).to("confirmed");
        let message = Message::builder("t").confirm_by(confirm).unwrap();
        message.build().unwrap()
    }

    async fn publish(queue: &MemoryQueue, messages: &[Message]) {
        for answer in queue.publisher().publish(messages).await {
            answer.unwrap();
        }
    }

    fn run(builder: ConsumerBuilder) -> (CancellationToken, JoinHandle<Stopped>) {
        let stop = CancellationToken::new();
        (stop.clone(), tokio::spawn(builder.build().unwrap().run(stop)))
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_acknowledged_before_its_confirmation_was_taken() {
        let queue = MemoryQueue::new();
        let away = || PublishError::unavailable("away");
        let (words, handled) = (Scripted::failing([away(), away()]), Handled::default());
        let handler = Confirming::new("g", Arc::new(words.clone()), handled.clone());
        let (stop, running) = run(Consumer::builder(queue.subscribe("g", ["t"]).unwrap(), handler));
        let message = asking();
        publish(&queue, std::slice::from_ref(&message)).await;
        queue.wait_idle("g").await;
        assert_eq!(words.taken(), [[message.id()]]);
        assert_eq!(*handled.0.lock().unwrap(), [1, 1, 1], "and it costs no attempt");
        stop.cancel();
        let stopped = running.await.unwrap();
        assert_eq!((stopped.handled, stopped.dead), (1, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn a_confirmation_that_is_refused_for_ever_ends() {
        let queue = MemoryQueue::new();
        let refused = || PublishError::refused("no such topic");
        let (words, handled) = (
            Scripted::failing(std::iter::repeat_n(refused(), 3)),
            Handled::default(),
        );
        let handler = Confirming::new("g", Arc::new(words.clone()), handled.clone());
        let consumer = Consumer::builder(queue.subscribe("g", ["t"]).unwrap(), handler)
            .retry(RetryPolicy::DEFAULT.with_max_attempts(3));
        let (stop, running) = run(consumer);
        publish(&queue, &[asking()]).await;
        queue.wait_idle("g").await;
        assert_eq!(*handled.0.lock().unwrap(), [1, 2, 3]);
        stop.cancel();
        assert_eq!(running.await.unwrap().dead, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_batch_is_confirmed_at_once_and_a_message_in_it_once() {
        let (queue, words) = (MemoryQueue::new(), Scripted::default());
        let handler = Confirming::new("g", Arc::new(words.clone()), Handled::default());
        let subscriber = queue.subscribe("g", ["t"]).unwrap();
        let (first, second) = (asking(), asking());
        let silent = Message::builder("t").build().unwrap();
        publish(&queue, &[first.clone(), first.clone(), silent, second.clone()]).await;
        let (stop, running) = run(Consumer::batch_builder(subscriber, handler));
        queue.wait_idle("g").await;
        let mut confirmed: Vec<_> = words.taken().into_iter().flatten().collect();
        confirmed.sort();
        confirmed.dedup();
        assert_eq!(confirmed, [first.id(), second.id()]);
        assert!(words.taken().iter().all(|call| {
            let mut ids = call.clone();
            ids.dedup();
            ids.len() == call.len()
        }));
        stop.cancel();
        running.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn handlers_side_by_side_publish_as_many_calls_as_the_queue_takes() {
        let (queue, words) = (MemoryQueue::new(), Scripted::default());
        let handler = Confirming::new("g", Arc::new(words.clone()), Handled::default());
        let subscriber = queue.subscribe("g", ["t"]).unwrap();
        let messages: Vec<_> = std::iter::repeat_with(asking).take(20).collect();
        publish(&queue, &messages).await;
        let (stop, running) = run(Consumer::builder(subscriber, handler).concurrency(8));
        queue.wait_idle("g").await;
        assert_eq!(words.taken().len(), 20);
        stop.cancel();
        running.await.unwrap();
    }
}
