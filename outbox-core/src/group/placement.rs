//! Which queue of a topic a key's messages go to, and which keys move when the topic grows by a queue.
//!
//! Linear hashing (W. Litwin, "Linear hashing: a new tool for file and table addressing", VLDB 1980): a topic that was
//! created with `initial` queues grows by one queue at a time. The new one takes about half of the keys of one older
//! queue, its parent; no other key moves. All queues have equally many keys again when there are `initial · 2^l`;
//! between those, the queues that are not split yet have twice as many keys as the others.
//!
//! Pure, and made of what any database has too (md5 and a remainder), so that a queue kept there places keys alike.

use md5::{Digest, Md5};

/// The hash of a key that [`queue_of`] takes: the first 4 bytes of md5(key), big endian.
pub fn key_hash(key: &str) -> u32 {
    let [a, b, c, d, ..] = Md5::digest(key.as_bytes()).0;
    u32::from_be_bytes([a, b, c, d])
}

/// The queue, from 0, of a key with this [`key_hash`] in a topic that was created with `initial` queues and has
/// `queues` now.
///
/// `initial` 0 counts as 1, and `queues` below `initial` as `initial`: a topic never shrinks.
pub fn queue_of(hash: u32, initial: u32, queues: u32) -> u32 {
    let initial = initial.max(1);
    let queues = queues.max(initial);
    let round = u64::from(round_of(queues, initial));
    let split = u64::from(hash) % (2 * round);
    // Queues of this round that are not there yet: their keys are still with the parent.
    let queue = if split < u64::from(queues) {
        split
    } else {
        split - round
    };
    // Below `queues`, so it fits.
    queue as u32
}

/// The queue whose keys `queue` took a part of when the topic grew to have it; `None` for those that were there from
/// the beginning. `initial` is how many those are; 0 counts as 1.
pub fn parent_of(queue: u32, initial: u32) -> Option<u32> {
    let initial = initial.max(1);
    (queue >= initial).then(|| queue - round_of(queue, initial))
}

/// The largest `initial · 2^l` that is not above `queues`, which is at least `initial`.
fn round_of(queues: u32, initial: u32) -> u32 {
    initial << (queues / initial).ilog2()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_hash_is_what_a_database_computes() {
        // SELECT ('x' || substr(md5('k1'), 1, 8))::bit(32)::bigint
        assert_eq!(key_hash(""), 0xd41d_8cd9);
        assert_eq!(key_hash("abc"), 0x9001_5098);
    }

    #[test]
    fn a_topic_grows_queue_by_queue_and_round_by_round() {
        let parents: Vec<_> = (0..13).map(|queue| parent_of(queue, 3)).collect();
        let at = [None, None, None]
            .into_iter()
            .chain([0, 1, 2, 0, 1, 2, 3, 4, 5, 0].map(Some));
        assert_eq!(parents, at.collect::<Vec<_>>());
        // Hash 9 of a topic created with 3: 0 at first, then 3 (9 % 6), then 9 (9 % 12).
        let places: Vec<u32> = (3..12).map(|queues| queue_of(9, 3, queues)).collect();
        assert_eq!(places, [0, 3, 3, 3, 3, 3, 3, 9, 9]);
    }

    #[test]
    fn the_ends_of_the_range_are_places_too() {
        assert_eq!(queue_of(u32::MAX, 1, u32::MAX), u32::MAX - (1 << 31));
        assert_eq!(queue_of(u32::MAX, u32::MAX, u32::MAX), 0);
        assert_eq!(queue_of(7, 0, 0), 0);
        assert_eq!(queue_of(7, 4, 2), 3);
        assert_eq!(parent_of(u32::MAX, 1), Some(u32::MAX - (1 << 31)));
        assert_eq!(parent_of(1, 0), Some(0));
    }

    proptest! {
        #[test]
        fn a_key_stays_or_moves_from_the_parent_to_the_new_queue(
            hash: u32, initial in 1u32..200, more in 0u32..2_000,
        ) {
            let queues = initial + more;
            let before = queue_of(hash, initial, queues);
            prop_assert!(before < queues);
            let after = queue_of(hash, initial, queues + 1);
            if before != after {
                prop_assert_eq!(after, queues);
                prop_assert_eq!(Some(before), parent_of(queues, initial));
            }
        }

        /// When a round is complete every queue has equally many of any `queues` consecutive hashes: one.
        #[test]
        fn complete_rounds_are_uniform(initial in 1u32..50, doublings in 0u32..5, from in 0u32..1_000_000) {
            let queues = initial << doublings;
            let mut places: Vec<u32> = (from..from + queues).map(|hash| queue_of(hash, initial, queues)).collect();
            places.sort_unstable();
            prop_assert_eq!(places, (0..queues).collect::<Vec<_>>());
        }

        /// A queue that was split just now has about half of the keys it had, and the new one the others.
        #[test]
        fn a_split_is_even(initial in 1u32..20, more in 0u32..100) {
            let queues = initial + more;
            let parent = parent_of(queues, initial).unwrap();
            let hashes = 0..queues * 200;
            let of = |queue| hashes.clone().filter(|&hash| queue_of(hash, initial, queues + 1) == queue).count();
            let (kept, moved) = (of(parent) as f64, of(queues) as f64);
            prop_assert!((0.9..=1.1).contains(&(kept / moved)), "{kept} stay and {moved} move");
        }
    }
}
