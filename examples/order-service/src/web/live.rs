//! How the page learns that something has changed: one task looks, however many pages are open, and only while one is.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::stream::{self, Stream, StreamExt};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::Site;
use crate::backend::Backend;
use crate::dead_letters::DeadLetterDesk;
use crate::faults::Planned;
use crate::journal::Journal;
use crate::playground::Playground;
use crate::store_error::StoreError;

/// How long between two looks.
const PAUSE: Duration = Duration::from_millis(300);
/// So many looks after a change pages are still told to look again: confirmations come a moment after what they confirm, and
/// the journal does not know of them.
const AFTERMATH: u32 = 4;
/// How long a stream may be silent, so that what is in between does not take it for dead.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Tells pages that something has changed. Clones share the one task.
#[derive(Clone)]
pub(super) struct Live {
    shared: Arc<Shared>,
}

struct Shared {
    journal: Arc<dyn Journal>,
    dead_letters: Arc<dyn DeadLetterDesk>,
    playground: Option<Playground>,
    changes: watch::Sender<u64>,
    is_looking: Mutex<bool>,
    closing: CancellationToken,
}

/// What is looked at.
#[derive(PartialEq, Eq)]
struct Sight {
    position: i64,
    dead_letters: Vec<String>,
    consumers: Vec<(&'static str, bool)>,
    faults: Option<Planned>,
}

impl Live {
    /// Until `closing` is cancelled.
    pub(super) fn new(
        backend: &Backend,
        playground: Option<&Playground>,
        closing: CancellationToken,
    ) -> Self {
        Self {
            shared: Arc::new(Shared {
                journal: Arc::clone(&backend.journal),
                dead_letters: Arc::clone(&backend.dead_letters),
                playground: playground.cloned(),
                changes: watch::Sender::new(0),
                is_looking: Mutex::new(false),
                closing,
            }),
        }
    }

    /// An event now, for what has changed since the page was rendered, and one after each change.
    fn events(&self) -> impl Stream<Item = Result<Event, Infallible>> + use<> {
        let mut changes = self.shared.changes.subscribe();
        changes.mark_changed();
        let mut is_looking = self.shared.is_looking();
        if !std::mem::replace(&mut *is_looking, true) {
            tokio::spawn(Arc::clone(&self.shared).look_again_and_again());
        }
        let events = stream::unfold(changes, async |mut changes| {
            changes.changed().await.ok()?;
            let change = *changes.borrow_and_update();
            Some((
                Ok(Event::default().event("changed").data(change.to_string())),
                changes,
            ))
        });
        events.take_until(self.shared.closing.clone().cancelled_owned())
    }
}

impl Shared {
    async fn look_again_and_again(self: Arc<Self>) {
        let mut known = None;
        let mut aftermath = 0;
        loop {
            {
                // Whoever comes after this finds that nobody looks any more, and looks.
                let mut is_looking = self.is_looking();
                if self.changes.receiver_count() == 0 {
                    *is_looking = false;
                    return;
                }
            }
            match self.look().await {
                Ok(sight) if known.as_ref() != Some(&sight) => {
                    known = Some(sight);
                    aftermath = AFTERMATH;
                    self.tell();
                }
                Ok(_) if aftermath > 0 => {
                    aftermath -= 1;
                    self.tell();
                }
                Ok(_) => {}
                // Pages say for themselves that they can't be refreshed.
                Err(error) => {
                    tracing::debug!(error = &error as &dyn std::error::Error, "nothing could be seen")
                }
            }
            tokio::select! {
                () = self.closing.cancelled() => return,
                () = tokio::time::sleep(PAUSE) => {}
            }
        }
    }

    async fn look(&self) -> Result<Sight, StoreError> {
        let letters = self.dead_letters.list().await?;
        let (mut consumers, mut faults) = (Vec::new(), None);
        if let Some(playground) = &self.playground {
            consumers = playground.consumers.all().await;
            faults = Some(playground.faults.planned());
        }
        Ok(Sight {
            position: self.journal.position().await?,
            dead_letters: letters.into_iter().map(|letter| letter.position).collect(),
            consumers,
            faults,
        })
    }

    fn tell(&self) {
        self.changes.send_modify(|change| *change += 1);
    }

    fn is_looking(&self) -> MutexGuard<'_, bool> {
        self.is_looking.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `GET /ui/events`: an event named `changed` whenever the page is to be refreshed.
pub(super) async fn events(
    State(site): State<Site>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>> + use<>> {
    Sse::new(site.live.events()).keep_alive(KeepAlive::new().interval(KEEP_ALIVE))
}
