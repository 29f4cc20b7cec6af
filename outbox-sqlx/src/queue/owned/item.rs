use outbox_core::Message;
use tokio::time::Instant;

use super::changes::Key;
use super::offsets::Offsets;

/// A message that was read, or that waits in the retry table, and is not finished.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) key: Option<Key>,
    /// `None`: it is in the retry table, and its payload was not loaded.
    pub(super) message: Option<Message>,
    /// Attempts that failed, or that were counted before they began.
    pub(super) attempts: u32,
    /// It belongs to the retry table, where it is or where the next changes put it; the cursor goes past it.
    pub(super) stored: bool,
    /// The table may have a row of it by now.
    pub(super) in_table: bool,
    /// Its attempt was counted before its handler ran, and it has had no outcome since.
    pub(super) tried: bool,
    /// The process died while its handler ran: whatever the queue's state, it is handed out in a trial.
    pub(super) suspect: bool,
    /// A retry waits until then.
    pub(super) not_before: Option<Instant>,
    pub(super) state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// May be handed out.
    Ready,
    /// May be handed out, once its payload was loaded.
    Wanted,
    /// May be handed out in a trial: alone, its attempt counted before.
    Suspect,
    /// The attempt of its trial is being written.
    Trying,
    /// Handed out under this token.
    Out(u64),
    /// Waits until this time after a failure.
    Waiting(Instant),
    /// Waits for an earlier message of its key.
    Behind,
}

/// The unfinished messages of one key: first those of the log, then those of the retry table. All that comes
/// after a stored one is stored too, so that the order of the offsets is the order of the key.
#[derive(Debug, Default)]
pub(super) struct KeyItems {
    pub(super) offsets: Offsets,
    /// How many of them are out.
    pub(super) out: usize,
    /// One came back while later ones are out: until those are back as well, nothing of the key is handed out.
    pub(super) rewound: bool,
    /// How many are stored.
    pub(super) stored: usize,
    /// The stored one whose turn it is.
    pub(super) head: Option<i64>,
}
