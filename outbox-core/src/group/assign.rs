use std::collections::BTreeMap;
use std::sync::Arc;

/// A queue of a topic, by its number.
pub type QueueName = (Arc<str>, u32);

/// Shares queues fairly: of each topic the members who subscribe to it get equally many, give or take
/// one, and the ones too many are spread so that the totals are even as well. A queue moves only when
/// it must. Pure: members who compute it from the same facts agree.
///
/// `members` are the members and their topics; `owned` is every queue with its owner, who may be gone.
pub fn assign<M: Ord + Copy>(
    members: &BTreeMap<M, Vec<Arc<str>>>,
    owned: &mut BTreeMap<QueueName, Option<M>>,
) {
    let subscribes =
        |member: &M, topic: &Arc<str>| members.get(member).is_some_and(|topics| topics.contains(topic));
    let mut by_topic: BTreeMap<Arc<str>, Vec<QueueName>> = BTreeMap::new();
    for (queue, owner) in owned.iter_mut() {
        if owner.is_some_and(|owner| !subscribes(&owner, &queue.0)) {
            *owner = None;
        }
        by_topic
            .entry(Arc::clone(&queue.0))
            .or_default()
            .push(queue.clone());
    }
    let mut totals: BTreeMap<M, usize> = members.keys().map(|&member| (member, 0)).collect();
    for owner in owned.values().flatten() {
        *totals.entry(*owner).or_default() += 1;
    }
    // A move in one topic changes the totals that another one looked at; a round without moves ends it.
    let mut moves = true;
    while std::mem::take(&mut moves) {
        moves = even_out(members, &by_topic, owned, &mut totals);
    }
}

/// One round over all topics; whether it gave any queue to anybody. Every move makes the loads of its topic strictly
/// more even, or leaves them and makes the totals so: it can't go on for ever.
fn even_out<M: Ord + Copy>(
    members: &BTreeMap<M, Vec<Arc<str>>>,
    by_topic: &BTreeMap<Arc<str>, Vec<QueueName>>,
    owned: &mut BTreeMap<QueueName, Option<M>>,
    totals: &mut BTreeMap<M, usize>,
) -> bool {
    let mut moves = false;
    for (topic, queues) in by_topic {
        let mut loads: BTreeMap<M, usize> = members
            .iter()
            .filter(|(_, topics)| topics.contains(topic))
            .map(|(&member, _)| (member, 0))
            .collect();
        if loads.is_empty() {
            continue;
        }
        for owner in queues.iter().filter_map(|queue| owned[queue]) {
            *loads.entry(owner).or_default() += 1;
        }
        for queue in queues
            .iter()
            .filter(|queue| owned[*queue].is_none())
            .collect::<Vec<_>>()
        {
            if let Some(&least) = loads
                .keys()
                .min_by_key(|member| (loads[*member], totals[*member]))
            {
                *loads.entry(least).or_default() += 1;
                *totals.entry(least).or_default() += 1;
                owned.insert(queue.clone(), Some(least));
                moves = true;
            }
        }
        loop {
            let most = loads
                .keys()
                .max_by_key(|member| (loads[*member], totals[*member]));
            let least = loads
                .keys()
                .min_by_key(|member| (loads[*member], totals[*member]));
            let (Some(&most), Some(&least)) = (most, least) else {
                break;
            };
            let uneven = loads[&most] >= loads[&least] + 2
                || (loads[&most] == loads[&least] + 1 && totals[&most] >= totals[&least] + 2);
            let moved = queues.iter().rev().find(|queue| owned[*queue] == Some(most));
            let (true, Some(moved)) = (uneven, moved) else {
                break;
            };
            owned.insert(moved.clone(), Some(least));
            for counts in [&mut loads, &mut *totals] {
                *counts.entry(most).or_default() -= 1;
                *counts.entry(least).or_default() += 1;
            }
            moves = true;
        }
    }
    moves
}

#[cfg(test)]
mod tests {
    use super::*;

    type MemberId = u64;
    use proptest::prelude::*;

    fn spread(owned: &BTreeMap<QueueName, Option<MemberId>>, topic: &str, members: &[MemberId]) -> usize {
        let count = |member: &MemberId| {
            owned
                .iter()
                .filter(|(queue, owner)| &*queue.0 == topic && **owner == Some(*member))
                .count()
        };
        let counts: Vec<usize> = members.iter().map(count).collect();
        counts.iter().max().unwrap_or(&0) - counts.iter().min().unwrap_or(&0)
    }

    proptest! {
        /// Members come and go; after each step every queue that somebody subscribes to has an owner who
        /// does, shares differ by at most one, and asking again moves nothing.
        #[test]
        fn shares_are_fair_and_stable(
            queues in proptest::collection::vec(1u32..10, 1..4),
            steps in proptest::collection::vec((0u64..6, proptest::bits::u8::between(0, 4), any::<bool>()), 1..20),
        ) {
            let topics: Vec<Arc<str>> = (0..queues.len()).map(|n| Arc::from(format!("t{n}"))).collect();
            let mut owned: BTreeMap<QueueName, Option<MemberId>> = BTreeMap::new();
            for (topic, &n) in topics.iter().zip(&queues) {
                owned.extend((0..n).map(|queue| ((Arc::clone(topic), queue), None)));
            }
            let mut members: BTreeMap<MemberId, Vec<Arc<str>>> = BTreeMap::new();
            for (member, bits, joins) in steps {
                if joins {
                    let subscribed = topics.iter().enumerate().filter(|(n, _)| bits & (1 << n) != 0);
                    members.insert(member, subscribed.map(|(_, topic)| Arc::clone(topic)).collect());
                } else {
                    members.remove(&member);
                }
                assign(&members, &mut owned);
                for topic in &topics {
                    let eligible: Vec<MemberId> = members
                        .iter()
                        .filter(|(_, topics)| topics.contains(topic))
                        .map(|(&member, _)| member)
                        .collect();
                    for owner in owned.iter().filter(|(queue, _)| queue.0 == *topic).map(|(_, owner)| owner) {
                        prop_assert_eq!(owner.is_some(), !eligible.is_empty());
                        prop_assert!(owner.is_none_or(|owner| eligible.contains(&owner)));
                    }
                    prop_assert!(spread(&owned, topic, &eligible) <= 1);
                }
                let before = owned.clone();
                assign(&members, &mut owned);
                prop_assert_eq!(&before, &owned);
            }
        }
    }

    #[test]
    fn many_topics_of_one_queue_are_shared_too() {
        let topics: Vec<Arc<str>> = (0..6).map(|n| Arc::from(format!("t{n}"))).collect();
        let mut owned = topics
            .iter()
            .map(|topic| ((Arc::clone(topic), 0), None))
            .collect();
        let members = (0..3).map(|member| (member, topics.clone())).collect();
        assign(&members, &mut owned);
        for member in 0..3 {
            assert_eq!(owned.values().filter(|owner| **owner == Some(member)).count(), 2);
        }
    }
}
