//! The loop of the check-back: what is due is claimed, asked after, and what follows is written down.

use std::collections::BTreeMap;
use std::future::ready;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::join_all;
use futures_util::stream;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::answer::CheckAnswer;
use super::ask::ask;
use super::check_back::Config;
use super::checker::Checker;
use super::error::HalfError;
use super::messages::HalfMessages;
use super::schedule::Decision;
use super::state::{Decided, Ending};
use super::stopped::Stopped;
use super::store::{AfterCheck, Claim};
use crate::message::MessageId;

/// Most messages of a topic that are looked for at once. Only ids: the content is read when its check begins.
const BATCH: usize = 100;
/// A claim outlives its check by so much: what writing down the answer may take.
const CLAIM_MARGIN: Duration = Duration::from_secs(5);
/// How often ended messages are forgotten, and how many at once.
const FORGET_EVERY: Duration = Duration::from_secs(60);
const FORGET_BATCH: u32 = 500;

/// Sweeps until told to stop. Each topic has a loop of its own, so that a checker that hangs keeps no other topic waiting.
pub(super) async fn run(
    half: &HalfMessages,
    checkers: &BTreeMap<Arc<str>, Arc<dyn Checker>>,
    config: Config,
    stop: &CancellationToken,
) -> Stopped {
    let topics = join_all(checkers.iter().map(|(topic, checker)| {
        Sweeper {
            half,
            topic,
            checker: &**checker,
            config,
        }
        .run(stop)
    }));
    let (of_topics, ()) = tokio::join!(topics, forget(half, stop));
    let mut stopped = Stopped::default();
    for of_topic in of_topics {
        stopped.add(of_topic);
    }
    stopped
}

struct Sweeper<'a> {
    half: &'a HalfMessages,
    topic: &'a Arc<str>,
    checker: &'a dyn Checker,
    config: Config,
}

impl Sweeper<'_> {
    async fn run(self, stop: &CancellationToken) -> Stopped {
        let mut stopped = Stopped::default();
        while !stop.is_cancelled() {
            let more = match self.sweep(stop, &mut stopped).await {
                Ok(more) => more,
                Err(error) => {
                    tracing::warn!(
                        topic = &**self.topic,
                        error = &error as &dyn std::error::Error,
                        "can't look for half messages"
                    );
                    false
                }
            };
            if !more && !pause(self.config.poll, stop).await {
                break;
            }
        }
        stopped
    }

    /// One page of what is due. Whether there is more to do at once.
    async fn sweep(&self, stop: &CancellationToken, stopped: &mut Stopped) -> Result<bool, HalfError> {
        let due = self.half.store().due(self.topic, BATCH).await?;
        let full = due.len() >= BATCH;
        let mut checks = stream::iter(due)
            .take_while(|_| ready(!stop.is_cancelled()))
            .map(|id| self.check(id))
            .buffer_unordered(self.config.concurrency);
        let mut any = false;
        while let Some(checked) = checks.next().await {
            match checked {
                Ok(checked) => {
                    any |= checked.is_some();
                    stopped.add(checked.unwrap_or_default());
                }
                // The claim runs out, and it is asked after again.
                Err(error) => tracing::warn!(
                    topic = &**self.topic,
                    error = &error as &dyn std::error::Error,
                    "a half message could not be checked"
                ),
            }
        }
        Ok(full && any)
    }

    /// Claims one message and asks after it. `None`: it is somebody else's.
    async fn check(&self, id: MessageId) -> Result<Option<Stopped>, HalfError> {
        let store = self.half.store();
        let claim = Claim {
            id: Uuid::now_v7(),
            hold: self.config.check_timeout + CLAIM_MARGIN,
        };
        let Some(claimed) = store.claim(id, claim).await? else {
            return Ok(None);
        };
        let schedule = self.half.schedule();
        let asked = ask(self.checker, &claimed.message, self.config.check_timeout).await;
        let label = asked.as_ref().map_or("unreachable", |answer| answer.as_str());
        metrics::counter!("outbox_half_checks_total", "answer" => label).increment(1);
        let mut done = Stopped::default();
        let answer = match asked {
            Ok(answer) => answer,
            Err(why) => {
                tracing::warn!(topic = &**self.topic, %id, why, "a half message's producer could not be asked");
                let again = AfterCheck::Unreachable(schedule.every());
                store.after_check(id, claim.id, again, &why).await?;
                done.unreachable = 1;
                return Ok(Some(done));
            }
        };
        if answer == CheckAnswer::Unknown {
            done.unknown = 1;
        }
        match schedule.decide(claimed.checks, answer) {
            Decision::Commit => done.committed = self.end(id, &Ending::Commit).await?,
            Decision::RollBack => done.rolled_back = self.end(id, &Ending::RollBack).await?,
            Decision::CheckAgain(after) => {
                let again = AfterCheck::CheckAgain(after);
                store
                    .after_check(id, claim.id, again, "the producer did not know")
                    .await?;
            }
            Decision::Park => {
                let said = format!("the producer did not know at {} checks", claimed.checks + 1);
                if store.after_check(id, claim.id, AfterCheck::Park, &said).await? {
                    metrics::counter!("outbox_half_parked_total").increment(1);
                    tracing::error!(topic = &**self.topic, %id, "a half message was parked: {said}, and an operator has to decide");
                    done.parked = 1;
                }
            }
        }
        Ok(Some(done))
    }

    /// Ends a message as its producer said. One that has ended meanwhile is left as it is.
    async fn end(&self, id: MessageId, ending: &Ending) -> Result<u64, HalfError> {
        match self.half.store().end(id, ending).await {
            Ok(Decided::Now) => Ok(1),
            Ok(Decided::Before) | Err(HalfError::NotPrepared { .. }) => Ok(0),
            Err(error @ HalfError::Ended { .. }) => {
                tracing::error!(topic = &**self.topic, %id, %error, "a check contradicts how the half message ended");
                Ok(0)
            }
            Err(error) => Err(error),
        }
    }
}

/// Forgets what ended long ago, some hundreds at a time.
async fn forget(half: &HalfMessages, stop: &CancellationToken) {
    while !stop.is_cancelled() {
        let forgotten = half.store().forget_ended(half.remember(), FORGET_BATCH).await;
        let more = match forgotten {
            Ok(forgotten) => forgotten >= u64::from(FORGET_BATCH),
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "can't forget ended half messages"
                );
                false
            }
        };
        if !more && !pause(FORGET_EVERY, stop).await {
            return;
        }
    }
}

/// Waits. False when it was told to stop meanwhile.
async fn pause(time: Duration, stop: &CancellationToken) -> bool {
    tokio::select! {
        () = stop.cancelled() => false,
        () = tokio::time::sleep(time) => true,
    }
}
