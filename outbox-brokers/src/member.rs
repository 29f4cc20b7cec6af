//! What the members of consumer groups have in common: lanes receive from the engine, each on a task of its own, and the member
//! hands out what they have received.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use outbox_core::{Delivery, ReceiveError, Subscriber};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::error::BrokerError;

/// Waits while a lane can't receive, doubled from the first to the last.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// A member of a consumer group.
pub(crate) struct Member {
    group: Arc<str>,
    lease: Option<Duration>,
    /// How long leaving may take.
    patience: Duration,
    arrived: mpsc::Receiver<Arrived>,
    wanted: Arc<watch::Sender<bool>>,
    stop: CancellationToken,
    _stop_on_drop: DropGuard,
    lanes: JoinSet<()>,
    unfinished: TaskTracker,
}

/// What a lane has to say.
enum Arrived {
    Delivery(Box<Delivery>),
    Away(Arc<BrokerError>),
}

/// A lane's way to its member.
#[derive(Clone)]
pub(crate) struct Lane {
    arrived: mpsc::Sender<Arrived>,
    wanted: Arc<watch::Sender<bool>>,
    unfinished: TaskTracker,
}

impl Member {
    /// A member without lanes, which have at most `capacity` deliveries in hand that nobody has taken.
    pub(crate) fn new(
        group: Arc<str>,
        lease: Option<Duration>,
        patience: Duration,
        capacity: usize,
    ) -> (Self, Lane) {
        let (sender, arrived) = mpsc::channel(capacity.max(1));
        let wanted = Arc::new(watch::Sender::new(false));
        let stop = CancellationToken::new();
        let unfinished = TaskTracker::new();
        let lane = Lane {
            arrived: sender,
            wanted: Arc::clone(&wanted),
            unfinished: unfinished.clone(),
        };
        let member = Self {
            group,
            lease,
            patience,
            arrived,
            wanted,
            _stop_on_drop: stop.clone().drop_guard(),
            stop,
            lanes: JoinSet::new(),
            unfinished,
        };
        (member, lane)
    }

    /// Starts a lane. It ends where it waits when the member leaves.
    pub(crate) fn spawn(&mut self, lane: &Lane, mut source: impl Receive) {
        let (stop, lane) = (self.stop.clone(), lane.clone());
        self.lanes.spawn(async move {
            stop.run_until_cancelled(lane.run(&mut source)).await;
            source.leave().await;
        });
    }

    /// Runs beside the lanes until the member leaves.
    pub(crate) fn beside(&mut self, work: impl Future<Output = ()> + Send + 'static) {
        let stop = self.stop.clone();
        self.lanes.spawn(async move {
            stop.run_until_cancelled(work).await;
        });
    }
}

/// Where a lane receives from.
#[async_trait]
pub(crate) trait Receive: Send + 'static {
    /// Receives, and hands over, until something is wrong or nobody takes anything any more ([`Lane::deliver`] is false). Dropped
    /// where it waits when the member leaves: what it has not handed over by then goes back when it is dropped.
    async fn receive(&mut self, lane: &mut Lane) -> Result<(), BrokerError>;

    /// Gives back what is on its way. Called once, when the member leaves.
    async fn leave(&mut self) {}
}

impl Lane {
    /// Waits until somebody waits for messages. Nobody does while a process is frozen or has enough to do, and what it has
    /// received then is missing to others.
    pub(crate) async fn wanted(&mut self) {
        // Its sender is here as well, so that it doesn't fail.
        let _ = self.wanted.subscribe().wait_for(|wanted| *wanted).await;
    }

    /// Hands one over. False: nobody takes any, and this one goes back.
    pub(crate) async fn deliver(&mut self, delivery: Delivery) -> bool {
        // Whoever waited gets this one. Before it does: it may be back, and wait, at once.
        self.wanted.send_replace(false);
        self.arrived
            .send(Arrived::Delivery(Box::new(delivery)))
            .await
            .is_ok()
    }

    /// What has to come to its end before a member has left: deliveries that go back.
    pub(crate) fn unfinished(&self) -> &TaskTracker {
        &self.unfinished
    }

    async fn run(mut self, source: &mut impl Receive) {
        let mut wait = BACKOFF.0;
        loop {
            let begun = Instant::now();
            let error = match source.receive(&mut self).await {
                Ok(()) => return,
                Err(error) => error,
            };
            tracing::debug!(error = %error, "receiving failed");
            // One that nobody waits for is one too many.
            let _ = self.arrived.try_send(Arrived::Away(Arc::new(error)));
            if begun.elapsed() > BACKOFF.1 {
                wait = BACKOFF.0;
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(BACKOFF.1);
        }
    }
}

/// Says while it lives that somebody waits.
struct Wanted<'a>(&'a watch::Sender<bool>);

impl<'a> Wanted<'a> {
    fn new(wanted: &'a watch::Sender<bool>) -> Self {
        wanted.send_replace(true);
        Self(wanted)
    }
}

impl Drop for Wanted<'_> {
    fn drop(&mut self) {
        self.0.send_replace(false);
    }
}

/// Whether it can still be handled by whoever received it. Otherwise it has gone to somebody else, or comes again.
fn is_ours(delivery: &Delivery) -> bool {
    delivery.lease_left() != Some(Duration::ZERO)
}

#[async_trait]
impl Subscriber for Member {
    async fn receive(&mut self, max: usize) -> Result<Vec<Delivery>, ReceiveError> {
        let mut deliveries = Vec::new();
        while deliveries.len() < max.max(1) {
            let arrived = match self.arrived.try_recv() {
                Ok(arrived) => Some(arrived),
                Err(_) if !deliveries.is_empty() => break,
                Err(_) => {
                    let _wanted = Wanted::new(&self.wanted);
                    self.arrived.recv().await
                }
            };
            match arrived {
                None => return Err(ReceiveError::Closed),
                Some(Arrived::Delivery(delivery)) => deliveries.extend(Some(*delivery).filter(is_ours)),
                // What has been received is handed out; it is said again while it lasts.
                Some(Arrived::Away(_)) if !deliveries.is_empty() => break,
                Some(Arrived::Away(error)) => {
                    return Err(ReceiveError::Unavailable {
                        message: error.to_string().into(),
                        source: Some(error),
                    });
                }
            }
        }
        Ok(deliveries)
    }

    fn lease(&self) -> Option<Duration> {
        self.lease
    }

    fn group(&self) -> Option<&str> {
        Some(&self.group)
    }

    async fn close(&mut self) -> Result<(), ReceiveError> {
        self.stop.cancel();
        let leave = async {
            while self.lanes.join_next().await.is_some() {}
            // What nobody has in hand goes back, as it does when it is dropped.
            self.arrived.close();
            while self.arrived.recv().await.is_some() {}
            self.unfinished.close();
            self.unfinished.wait().await;
        };
        tokio::time::timeout(self.patience, leave)
            .await
            .map_err(|_| ReceiveError::Unavailable {
                message: "it does not answer; what was not finished comes again later".into(),
                source: None,
            })
    }
}

/// Its lanes give back what they have, but nobody waits for them.
impl Drop for Member {
    fn drop(&mut self) {
        self.lanes.detach_all();
    }
}

impl std::fmt::Debug for Member {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Member")
            .field("group", &self.group)
            .finish_non_exhaustive()
    }
}
