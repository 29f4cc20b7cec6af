use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

/// The requests that this process is carrying out. Others with their keys wait here, or are told so, and take no connection
/// of the pool meanwhile: a key that comes a hundred times at once would otherwise take a hundred.
#[derive(Debug, Clone, Default)]
pub(super) struct InFlight {
    requests: Arc<Mutex<HashMap<Name, watch::Receiver<()>>>>,
}

type Name = (String, String);

/// What entering came to.
pub(super) enum Entered {
    /// Nobody else is at it here, until the guard is dropped.
    First(Guard),
    /// Somebody is; the receiver's sender goes when it ends.
    Other(watch::Receiver<()>),
}

/// One request that is carried out.
#[derive(Debug)]
pub(super) struct Guard {
    all: InFlight,
    name: Name,
    _ends: watch::Sender<()>,
}

impl InFlight {
    pub(super) fn enter(&self, scope: &str, key: &str) -> Entered {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        match requests.entry((scope.to_owned(), key.to_owned())) {
            Entry::Occupied(other) => Entered::Other(other.get().clone()),
            Entry::Vacant(free) => {
                let (ends, end) = watch::channel(());
                let name = free.key().clone();
                free.insert(end);
                Entered::First(Guard {
                    all: self.clone(),
                    name,
                    _ends: ends,
                })
            }
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let mut requests = self.all.requests.lock().unwrap_or_else(PoisonError::into_inner);
        requests.remove(&self.name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_at_a_time_by_key_and_the_others_hear_of_its_end() {
        let all = InFlight::default();
        let Entered::First(guard) = all.enter("s", "k") else {
            panic!("nobody is there")
        };
        assert!(matches!(all.enter("s", "l"), Entered::First(_)));
        assert!(matches!(all.enter("t", "k"), Entered::First(_)));
        let Entered::Other(mut end) = all.enter("s", "k") else {
            panic!("somebody is there")
        };
        assert!(!end.has_changed().unwrap());
        drop(guard);
        assert!(end.changed().await.is_err());
        assert!(matches!(all.enter("s", "k"), Entered::First(_)));
    }
}
