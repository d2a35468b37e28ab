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

use centralita_routing::{NEVER_NS, Timers};
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
            prop_assert_eq!(timers.next_deadline_ns(), map.values().copied().min().unwrap_or(NEVER_NS));
        }
    }
}
