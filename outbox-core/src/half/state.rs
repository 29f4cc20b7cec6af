use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::error::HalfError;
use crate::message::MessageId;

/// Where a half message is; the edges between them are at the [module](super).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HalfState {
    /// Invisible to consumers, and asked after.
    Prepared,
    /// Its checks are spent: an operator decides, or its producer after all.
    Parked,
    /// Consumers get it. An end.
    Committed,
    /// Nobody gets it. An end.
    RolledBack,
    /// Nobody gets it, because an operator said so. An end.
    Discarded,
}

impl HalfState {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Prepared,
        Self::Parked,
        Self::Committed,
        Self::RolledBack,
        Self::Discarded,
    ];

    /// As it is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Prepared => "prepared",
            Self::Parked => "parked",
            Self::Committed => "committed",
            Self::RolledBack => "rolled_back",
            Self::Discarded => "discarded",
        }
    }

    /// Whether nothing leads out of it.
    pub const fn is_end(self) -> bool {
        matches!(self, Self::Committed | Self::RolledBack | Self::Discarded)
    }

    /// What an ending finds at a message in this state: whether it is to be carried out now, or was before. Pure; the
    /// one place that knows the edges, for every store.
    ///
    /// # Errors
    /// [`HalfError::Ended`] when it has ended otherwise, [`HalfError::NotParked`] when only a parked one may end so.
    pub fn end(self, id: MessageId, ending: &Ending) -> Result<Decided, HalfError> {
        let asked = ending.state();
        if self == asked {
            return Ok(Decided::Before);
        }
        if self.is_end() {
            return Err(HalfError::Ended {
                id,
                state: self,
                asked,
            });
        }
        if ending.is_an_operators() && self != Self::Parked {
            return Err(HalfError::NotParked { id, state: self });
        }
        Ok(Decided::Now)
    }

    /// Whether a redrive may begin its checks anew.
    ///
    /// # Errors
    /// [`HalfError::Ended`] or [`HalfError::NotParked`].
    pub fn redrive(self, id: MessageId) -> Result<(), HalfError> {
        match self {
            Self::Parked => Ok(()),
            Self::Prepared => Err(HalfError::NotParked { id, state: self }),
            Self::Committed | Self::RolledBack | Self::Discarded => Err(HalfError::Ended {
                id,
                state: self,
                asked: Self::Prepared,
            }),
        }
    }
}

impl fmt::Display for HalfState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::RolledBack => "rolled back",
            other => other.as_str(),
        })
    }
}

impl FromStr for HalfState {
    type Err = UnknownState;

    fn from_str(name: &str) -> Result<Self, UnknownState> {
        Self::ALL
            .into_iter()
            .find(|state| state.as_str() == name)
            .ok_or_else(|| UnknownState {
                name: name.to_owned(),
            })
    }
}

/// A name that is none of [`HalfState`]'s.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{name:?} is not a state of a half message; it must be prepared, parked, committed, rolled_back or discarded"
)]
pub struct UnknownState {
    name: String,
}

/// A way out of being undecided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// The producer, or a check, says that its local work is done.
    Commit,
    /// The producer, or a check, says that its local work is not done and won't be.
    RollBack,
    /// An operator commits a parked one.
    CommitParked {
        /// Who.
        by: Arc<str>,
    },
    /// An operator gives a parked one up.
    Discard {
        /// Why.
        reason: Arc<str>,
        /// Who.
        by: Arc<str>,
    },
}

impl Ending {
    /// Where it leads.
    pub const fn state(&self) -> HalfState {
        match self {
            Self::Commit | Self::CommitParked { .. } => HalfState::Committed,
            Self::RollBack => HalfState::RolledBack,
            Self::Discard { .. } => HalfState::Discarded,
        }
    }

    /// Whether only an operator may, and only of a parked one.
    pub const fn is_an_operators(&self) -> bool {
        matches!(self, Self::CommitParked { .. } | Self::Discard { .. })
    }

    /// Who, of an operator's.
    pub fn by(&self) -> Option<&str> {
        match self {
            Self::CommitParked { by } | Self::Discard { by, .. } => Some(by),
            Self::Commit | Self::RollBack => None,
        }
    }

    /// Why, of a discard.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Discard { reason, .. } => Some(reason),
            _ => None,
        }
    }
}

/// Whether a call did it, or found it done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decided {
    /// This call did it.
    Now,
    /// It had been done before, by an earlier call or by the check-back. Nothing was done again.
    Before,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endings() -> [Ending; 4] {
        let by: Arc<str> = "ann".into();
        [
            Ending::Commit,
            Ending::RollBack,
            Ending::CommitParked { by: by.clone() },
            Ending::Discard {
                reason: "lost".into(),
                by,
            },
        ]
    }

    /// The table of the module's documentation, and what each other pair is answered with.
    #[test]
    fn every_edge_is_the_documented_one() {
        use HalfState::{Committed, Discarded, Parked, Prepared, RolledBack};
        let id = MessageId::new();
        for state in HalfState::ALL {
            for ending in endings() {
                let answer = state.end(id, &ending).map_err(|error| error.to_string());
                let expected = match (state, &ending) {
                    (Prepared | Parked, Ending::Commit | Ending::RollBack) => Ok(Decided::Now),
                    (Parked, Ending::CommitParked { .. } | Ending::Discard { .. }) => Ok(Decided::Now),
                    (Committed, Ending::Commit | Ending::CommitParked { .. })
                    | (RolledBack, Ending::RollBack)
                    | (Discarded, Ending::Discard { .. }) => Ok(Decided::Before),
                    (Prepared, _) => Err(format!(
                        "message {id} is prepared and not parked: its producer, or the check-back, decides"
                    )),
                    (Committed | RolledBack | Discarded, _) => Err(format!(
                        "message {id} is {state} already, and can't be {} any more",
                        ending.state()
                    )),
                };
                assert_eq!(answer, expected, "{state} {ending:?}");
            }
            assert_eq!(state.redrive(id).is_ok(), state == Parked);
        }
    }

    #[test]
    fn states_go_by_name_and_an_unknown_one_is_named() {
        for state in HalfState::ALL {
            assert_eq!(state.as_str().parse(), Ok(state));
        }
        assert!(
            "Parked"
                .parse::<HalfState>()
                .unwrap_err()
                .to_string()
                .contains("\"Parked\"")
        );
    }
}
