use std::collections::VecDeque;

/// A set of offsets in their order. They come nearly in order and go nearly in order, which is where a deque is several
/// times as fast as a tree; in between it costs a move of those behind.
#[derive(Debug, Default)]
pub(super) struct Offsets(VecDeque<i64>);

impl Offsets {
    pub(super) fn insert(&mut self, offset: i64) {
        match self.0.back() {
            Some(&last) if last >= offset => {
                if let Err(place) = self.0.binary_search(&offset) {
                    self.0.insert(place, offset);
                }
            }
            _ => self.0.push_back(offset),
        }
    }

    pub(super) fn remove(&mut self, offset: i64) {
        if self.0.front() == Some(&offset) {
            self.0.pop_front();
        } else if let Ok(place) = self.0.binary_search(&offset) {
            self.0.remove(place);
        }
    }

    pub(super) fn first(&self) -> Option<i64> {
        self.0.front().copied()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = i64> {
        self.0.iter().copied()
    }

    /// Those below `offset`.
    pub(super) fn before(&self, offset: i64) -> impl Iterator<Item = i64> {
        let end = self.0.partition_point(|&other| other < offset);
        self.0.range(..end).copied()
    }

    /// Those above `offset`.
    pub(super) fn after(&self, offset: i64) -> impl Iterator<Item = i64> {
        let start = self.0.partition_point(|&other| other <= offset);
        self.0.range(start..).copied()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn is_what_a_tree_is(steps in proptest::collection::vec((any::<bool>(), 0i64..20), 0..60)) {
            let (mut offsets, mut tree) = (Offsets::default(), BTreeSet::new());
            for (insert, offset) in steps {
                if insert {
                    offsets.insert(offset);
                    tree.insert(offset);
                } else {
                    offsets.remove(offset);
                    tree.remove(&offset);
                }
                prop_assert!(offsets.iter().eq(tree.iter().copied()));
                prop_assert!(offsets.before(offset).eq(tree.range(..offset).copied()));
                prop_assert!(offsets.after(offset).eq(tree.range(offset + 1..).copied()));
                prop_assert_eq!((offsets.first(), offsets.len()), (tree.first().copied(), tree.len()));
            }
        }
    }
}
