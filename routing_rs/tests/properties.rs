//! The queue against a brute-force one; the ordered containers against the standard library's.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::type_complexity,
    reason = "small numbers, and tables read once"
)]

mod reference;

use std::collections::BTreeMap;

use centralita_routing::{Enqueue, NEVER_NS, Queue, Timers};
use proptest::prelude::*;
use reference::Driver;

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn histories_agree_with_brute_force(seed in 0_u64..4, steps in prop::collection::vec(any::<(u8, u16, u16)>(), 1..120)) {
        let mut driver = Driver::new(seed);
        for (operation, one, other) in steps {
            driver.step(operation, one, other);
        }
    }

    #[test]
    fn timers_agree_with_a_map(steps in prop::collection::vec((0_u32..3, 0_u64..6, -9_i64..9, 0_u8..3), 1..200)) {
        let mut timers = Timers::default();
        let mut map = std::collections::BTreeMap::new();
        for (kind, subject, at_ns, what) in steps {
            match what {
                0 => {
                    timers.schedule(kind, subject, at_ns);
                    map.insert((kind, subject), at_ns);
                }
                1 => {
                    timers.cancel(kind, subject);
                    map.remove(&(kind, subject));
                }
                _ => {
                    let mut due: Vec<_> = map.iter().filter(|(_, at)| **at <= at_ns).map(|((kind, subject), at)| (*at, *kind, *subject)).collect();
                    due.sort_unstable();
                    map.retain(|_, at| *at > at_ns);
                    prop_assert_eq!(timers.pop_due(at_ns), due);
                }
            }
            prop_assert_eq!(timers.len(), map.len());
            prop_assert_eq!(timers.deadline_ns(kind, subject), map.get(&(kind, subject)).copied().unwrap_or(NEVER_NS));
            prop_assert_eq!(timers.next_deadline_ns(), map.values().copied().min().unwrap_or(NEVER_NS));
        }
    }
}

/// Skills that share shelves with others, and some that do not.
const SKILLS: [i64; 12] = [0, 1, 2, 3, 128, 129, 130, 131, 256, 512, 513, 640];

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// Requirements of up to five skills and of more units than there are cases for, lists beside shelves: the
    /// same pairs in the same order.
    #[test]
    fn shelves_agree_with_lists(
        needs in prop::collection::vec((prop::collection::btree_map(0_usize..12, 1_i64..8, 0..6), 1_i64..24), 1..40),
        haves in prop::collection::vec(prop::collection::btree_map(0_usize..12, 1_i64..=10, 1..12), 1..12),
        steps in prop::collection::vec((any::<u8>(), any::<u16>()), 1..200)
    ) {
        let (mut listed, mut shelved) = (Queue::new(), Queue::new());
        shelved.disperse();
        let levels = |given: &BTreeMap<usize, i64>| -> Vec<(i64, i64)> {
            given.iter().map(|(at, level)| (SKILLS[*at], *level)).collect()
        };
        let (mut wants, mut pairs) = (Vec::new(), Vec::new());
        for queue in [&mut listed, &mut shelved] {
            for skill in 0..=SKILLS[11] {
                queue.skill(&skill.to_string());
            }
            queue.medium("voice");
            queue.order(&["longest_idle"], 1, 0, 0, NEVER_NS).expect("known");
            for (agent, have) in haves.iter().enumerate() {
                let profile = queue.profile(&levels(have), 24, &[], &[]).expect("in range");
                queue.add_agent(agent as i64, i64::from(profile), 0, true, None, 0, 0).expect("new");
            }
            wants = needs
                .iter()
                .map(|(need, units)| i64::from(queue.requirement(&levels(need), 0, *units).expect("in range")))
                .collect();
        }
        for (turn, (what, one)) in steps.into_iter().enumerate() {
            let now_ns = turn as i64 * 200;
            let made = [&mut listed, &mut shelved].map(|queue| {
                match what % 4 {
                    0 if !pairs.is_empty() => {
                        let (contact, agent): (u64, u64) = pairs[one as usize % pairs.len()];
                        // Finished before, when it is unknown by now.
                        let _ = queue.finish(contact as i64, agent as i64, now_ns);
                    }
                    1 => {
                        let _ = queue.drop(i64::from(one) % (turn as i64 + 1), now_ns);
                    }
                    _ => {
                        let told = Enqueue::plain(turn as i64, wants[one as usize % wants.len()], 0, now_ns);
                        queue.enqueue(&told).expect("new");
                    }
                }
                let made = queue.match_now(now_ns).expect("in range");
                (made, queue.state_hash())
            });
            prop_assert_eq!(&made[0], &made[1]);
            pairs.extend(made[0].0.iter().copied());
        }
    }
}
