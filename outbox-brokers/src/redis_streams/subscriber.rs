//! A member of a consumer group: a lane per queue.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use outbox_core::{Delivery, Limits};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::connect::Settings;
use super::delivery::{Held, Outcome};
use super::fields::{self, Entry, Words};
use super::keys::{self, Queue};
use super::link::Link;
use super::publisher::ms;
use super::wake::{self, Sleepers};
use super::{TRIM_EVERY, scripts};
use crate::broker::Ordering;
use crate::error::BrokerError;
use crate::member::{Lane, Member, Receive};
use crate::names::{check_group, check_some};

/// Most messages that are taken at a time. What a process has when it freezes is missing to others until its lease is over.
const WANTED_MAX: u32 = 100;
/// How often a queue is looked at when nothing is heard of it.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A queue, as a member of a group has it.
struct Source {
    link: Link,
    settings: Arc<Settings>,
    group: Arc<str>,
    topic: Arc<str>,
    queue: Arc<Queue>,
    out: u32,
    woken: Arc<Notify>,
    trimmed: Instant,
    /// A task, so that what it takes is given back also when nobody waits for it any more.
    taking: Option<JoinHandle<Result<Take, BrokerError>>>,
}

/// What a look at a queue came to.
struct Take {
    /// How long it is until there may be more of what is out already.
    wait: Option<Duration>,
    taken: Vec<Taken>,
    /// The server counts from later on.
    lease_end: Instant,
}

/// What a script found: its id, the attempt, its words.
type Taken = (String, u32, Words);

/// Joins a group.
pub(super) async fn open(
    link: &Link,
    settings: &Arc<Settings>,
    group: &str,
    topics: &[&str],
    ordering: Ordering,
) -> Result<Member, BrokerError> {
    check_group(group)?;
    let out = match ordering.check()? {
        Ordering::PerKey => 1,
        Ordering::None { out } => out.div_ceil(settings.queues),
    };
    check_some(topics)?;
    let group: Arc<str> = group.into();
    let capacity = topics.len() * settings.queues as usize * out.min(WANTED_MAX) as usize;
    let (mut member, lane) = Member::new(
        Arc::clone(&group),
        Some(settings.lease),
        settings.timeout,
        capacity,
    );
    let mut sleepers = Sleepers::new();
    for topic in topics {
        Limits::check_topic(topic)
            .map_err(|error| BrokerError::setting("a topic", format!("{topic:?}"), error))?;
        super::note_topic(link, settings, topic)
            .await
            .map_err(BrokerError::server("joining a group"))?;
        let channel = keys::channel(&settings.prefix, topic);
        let topic: Arc<str> = (*topic).into();
        for queue in super::queues(settings, &topic) {
            let woken = Arc::new(Notify::new());
            sleepers.insert((channel.clone(), queue.number), Arc::clone(&woken));
            let source = Source {
                link: link.clone(),
                settings: Arc::clone(settings),
                group: Arc::clone(&group),
                topic: Arc::clone(&topic),
                queue: Arc::new(queue),
                out,
                woken,
                trimmed: Instant::now(),
                taking: None,
            };
            // Before anything is received: a group that is there has all that is published from now on.
            source.ensure().await?;
            member.spawn(&lane, source);
        }
    }
    member.beside(wake::listen(link.clone(), Arc::new(sleepers)));
    Ok(member)
}

impl Source {
    /// Makes the group where it is not there.
    async fn ensure(&self) -> Result<(), BrokerError> {
        let mut command = redis::cmd("XGROUP");
        command
            .arg("CREATE")
            .arg(self.queue.stream())
            .arg(&*self.group)
            .arg("0")
            .arg("MKSTREAM");
        match self.link.query::<()>(&command).await {
            Err(error) if error.code() != Some("BUSYGROUP") => {
                Err(BrokerError::server("joining a group")(error))
            }
            _ => Ok(()),
        }
    }

    /// Takes what there is. Dropping the future loses nothing.
    async fn take(&mut self) -> Result<Take, BrokerError> {
        let taking = match &mut self.taking {
            Some(taking) => taking,
            None => {
                let (link, queue) = (self.link.clone(), Arc::clone(&self.queue));
                let (group, lease, out) = (Arc::clone(&self.group), self.settings.lease, self.out);
                let take = async move { take(&link, &queue, &group, lease, out).await };
                self.taking.insert(tokio::spawn(take))
            }
        };
        let took = taking.await;
        self.taking = None;
        took.map_err(BrokerError::server("receiving"))?
    }

    async fn trim(&mut self) -> Result<(), BrokerError> {
        if self.trimmed.elapsed() < TRIM_EVERY {
            return Ok(());
        }
        self.trimmed = Instant::now();
        super::trim(&self.link, &self.settings, &self.queue)
            .await
            .map_err(BrokerError::server("removing old messages"))
    }

    fn outcome(&self, (id, attempt, words): Taken, lease_end: Instant) -> Outcome {
        Outcome {
            link: self.link.clone(),
            settings: Arc::clone(&self.settings),
            group: Arc::clone(&self.group),
            queue: Arc::clone(&self.queue),
            id,
            attempt,
            words,
            lease_end,
        }
    }

    /// A message for this group. One for another group is done with.
    async fn delivery(&self, taken: Taken, lease_end: Instant, lane: &Lane) -> Option<Delivery> {
        let (topic, mapping) = (Arc::clone(&self.topic), &self.settings.mapping);
        let outcome = self.outcome(taken, lease_end);
        let entry = Entry::of(&outcome.words);
        let message = entry.message(topic, mapping, self.queue.stream(), &outcome.id);
        if entry
            .get(fields::FOR_GROUP)
            .is_some_and(|group| group != &*self.group)
        {
            // If this fails it comes again.
            let _ = outcome.skip().await;
            return None;
        }
        let (attempt, queue, offset) = (outcome.attempt, self.queue.number, fields::offset(&outcome.id));
        let held = Held::new(outcome, lane.unfinished());
        Some(Delivery::new(message, attempt, queue, offset, Box::new(held)))
    }
}

#[async_trait]
impl Receive for Source {
    async fn receive(&mut self, lane: &mut Lane) -> Result<(), BrokerError> {
        // Also a server that has forgotten everything has it then.
        self.ensure().await?;
        loop {
            lane.wanted().await;
            self.trim().await?;
            let Take {
                wait,
                taken,
                lease_end,
            } = self.take().await?;
            if taken.is_empty() {
                let wait = wait.unwrap_or(LOOK_EVERY).min(LOOK_EVERY);
                let _ = tokio::time::timeout(wait, self.woken.notified()).await;
                continue;
            }
            let mut deliveries = Vec::with_capacity(taken.len());
            for taken in taken {
                deliveries.extend(self.delivery(taken, lease_end, lane).await);
            }
            for delivery in deliveries {
                if !lane.deliver(delivery).await {
                    return Ok(());
                }
            }
        }
    }
    async fn leave(&mut self) {
        if self.taking.is_none() {
            return;
        }
        if let Ok(took) = self.take().await {
            for taken in took.taken {
                self.outcome(taken, took.lease_end).back().await;
            }
        }
    }
}

async fn take(
    link: &Link,
    queue: &Queue,
    group: &str,
    lease: Duration,
    out: u32,
) -> Result<Take, BrokerError> {
    let lease_end = Instant::now() + lease;
    let (wait, taken): (i64, Vec<Taken>) = link
        .run(&scripts::TAKE, |call| {
            call.key(queue.stream())
                .key(queue.due(group))
                .arg(group)
                .arg(ms(lease))
                .arg(out)
                .arg(out.min(WANTED_MAX));
        })
        .await
        .map_err(BrokerError::server("receiving"))?;
    Ok(Take {
        wait: u64::try_from(wait).ok().map(Duration::from_millis),
        taken,
        lease_end,
    })
}
