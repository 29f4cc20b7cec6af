use std::time::Instant;

use super::passes::Cohort;
use super::store::{LeaseGrant, ShardSet};
use crate::shard::{SHARDS, Shard};

/// Which shards this relay owns, under which epoch, and until when by its own monotonic clock.
#[derive(Debug)]
pub(super) struct Ownership {
    epochs: [Option<i64>; SHARDS as usize],
    /// Nothing is published for any shard after this: counted from *before* the renewal was sent, so it
    /// is never later than what the database thinks.
    valid_until: Option<Instant>,
    /// Shards that are handed over: nothing new is taken for them.
    pub(super) leaving: ShardSet,
}

/// What a lease's answer changed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) gained: ShardSet,
    pub(super) lost: ShardSet,
    /// Shards beyond the fair share, to be handed over.
    pub(super) surplus: ShardSet,
}

impl Ownership {
    pub(super) fn new() -> Self {
        Self {
            epochs: [None; SHARDS as usize],
            valid_until: None,
            leaving: ShardSet::default(),
        }
    }

    pub(super) fn owned(&self) -> ShardSet {
        Shard::all()
            .filter(|shard| self.epoch(*shard).is_some())
            .collect()
    }

    /// Owned and not being handed over.
    pub(super) fn active(&self) -> ShardSet {
        self.owned().without(self.leaving)
    }

    pub(super) fn epoch(&self, shard: Shard) -> Option<i64> {
        self.epochs[usize::from(shard.number())]
    }

    pub(super) fn is_valid(&self, now: Instant) -> bool {
        self.valid_until.is_some_and(|until| now < until)
    }

    pub(super) fn valid_until(&self) -> Option<Instant> {
        self.valid_until
    }

    /// Takes over what the database granted; `valid_until` is the local end of these leases. A shard that
    /// comes with another epoch was lost and gained.
    pub(super) fn apply(&mut self, grant: &LeaseGrant, valid_until: Instant) -> Change {
        let mut change = Change::default();
        let mut granted = [None; SHARDS as usize];
        for &(shard, epoch) in &grant.shards {
            granted[usize::from(shard.number())] = Some(epoch);
        }
        for shard in Shard::all() {
            let index = usize::from(shard.number());
            match (self.epochs[index], granted[index]) {
                (before, after) if before == after => {}
                (before, after) => {
                    if before.is_some() {
                        change.lost.insert(shard);
                        self.leaving.remove(shard);
                    }
                    if after.is_some() {
                        change.gained.insert(shard);
                    }
                }
            }
        }
        self.epochs = granted;
        self.valid_until = Some(valid_until);
        let surplus = self.active().len().saturating_sub(grant.fair_share.max(1));
        // The highest numbers go first, so that shard 0, which stands in for stray numbers, rarely moves.
        let mut active: Vec<_> = self.active().iter().collect();
        active.reverse();
        change.surplus = active.into_iter().take(surplus).collect();
        change
    }

    /// The leases ran out by this relay's own clock: it owns nothing until the next grant.
    pub(super) fn expire(&mut self) -> ShardSet {
        let lost = self.owned();
        *self = Self::new();
        lost
    }

    /// Starts handing over.
    pub(super) fn hand_over(&mut self, shards: ShardSet) {
        self.leaving = self.leaving.union(shards);
    }
}

/// The shards by how far each has been read: most are read together, those gained later catch up in
/// groups of their own.
#[derive(Debug, Default)]
pub(super) struct Cohorts {
    list: Vec<Cohort>,
    next: usize,
}

impl Cohorts {
    /// Shards were gained: they start from the beginning.
    pub(super) fn gain(&mut self, shards: ShardSet) {
        if !shards.is_empty() {
            let merge_at = self.list.first().map(|main| main.floor());
            self.list.push(Cohort::new(shards, merge_at));
        }
    }

    /// Shards were lost, or are being handed over.
    pub(super) fn lose(&mut self, shards: ShardSet) {
        for cohort in &mut self.list {
            cohort.shards = cohort.shards.without(shards);
        }
        self.list.retain(|cohort| !cohort.shards.is_empty());
        // Whoever comes first now reads on its own account.
        if let Some(main) = self.list.first_mut() {
            main.lead();
        }
    }

    /// Everything is read again from the beginning: what was read may be stale.
    pub(super) fn restart(&mut self) {
        let shards = self
            .list
            .iter()
            .fold(ShardSet::default(), |all, cohort| all.union(cohort.shards));
        self.list.clear();
        self.gain(shards);
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Cohort> {
        self.list.iter_mut()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Cohort> {
        self.list.iter()
    }

    pub(super) fn get_mut(&mut self, index: usize) -> Option<&mut Cohort> {
        self.list.get_mut(index)
    }

    /// The next cohort that wants a page, in turn.
    pub(super) fn next_wanting(&mut self, mut wants: impl FnMut(&Cohort) -> bool) -> Option<usize> {
        let count = self.list.len();
        let found = (0..count)
            .map(|n| (self.next + n) % count.max(1))
            .find(|&index| wants(&self.list[index]))?;
        self.next = found + 1;
        Some(found)
    }

    /// A cohort that has caught up joins the first. Returns whether the first has to begin a new pass.
    pub(super) fn merge(&mut self) -> bool {
        let Some(index) = (1..self.list.len()).find(|&index| self.list[index].has_caught_up()) else {
            return false;
        };
        let joined = self.list.remove(index);
        self.list[0].join(&joined);
        true
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn grant(shards: impl IntoIterator<Item = u8>, epoch: i64, fair_share: usize) -> LeaseGrant {
        let shards = shards
            .into_iter()
            .map(|n| (Shard::from_stored(n.into()), epoch))
            .collect();
        LeaseGrant { shards, fair_share }
    }

    fn set(shards: impl IntoIterator<Item = u8>) -> ShardSet {
        shards.into_iter().map(|n| Shard::from_stored(n.into())).collect()
    }

    #[test]
    fn a_new_epoch_is_a_loss_and_a_gain() {
        let until = Instant::now() + Duration::from_secs(1);
        let mut ownership = Ownership::new();
        assert_eq!(ownership.apply(&grant(0..4, 1, 64), until).gained, set(0..4));
        let change = ownership.apply(&grant([0, 1, 2], 1, 64), until);
        assert_eq!((change.gained, change.lost), (set([]), set([3])));
        let mut mixed = grant([0, 1], 1, 64);
        mixed.shards.push((Shard::from_stored(2), 2));
        let change = ownership.apply(&mixed, until);
        assert_eq!((change.gained, change.lost), (set([2]), set([2])));
        assert_eq!(ownership.epoch(Shard::from_stored(2)), Some(2));
    }

    #[test]
    fn what_exceeds_the_fair_share_is_handed_over_once() {
        let until = Instant::now() + Duration::from_secs(1);
        let mut ownership = Ownership::new();
        ownership.apply(&grant(0..64, 1, 64), until);
        let change = ownership.apply(&grant(0..64, 1, 32), until);
        assert_eq!(change.surplus, set(32..64));
        ownership.hand_over(change.surplus);
        assert_eq!(ownership.apply(&grant(0..64, 1, 32), until).surplus, set([]));
        assert_eq!(ownership.active(), set(0..32));
    }
}
