//! One operation many times over a full house, for callgrind: `operation release 2000`.
//!
//! What is left when the run with 0 is taken away is the operation's own cost: enqueue (into a full house),
//! release (finish and match), abandon, arrival (enqueue and match, an agent idle, then finish).

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::type_complexity,
    reason = "small numbers, and tables read once"
)]

use centralita_routing::{Enqueue, NEVER_NS, Queue};

const WAITING_N: i64 = 10_000;
const AGENTS_N: i64 = 200;
const PROFILES_N: i64 = 50;
const REQUIREMENTS_N: i64 = 200;
const SKILLS_N: i64 = 50;
const SKILLS_EACH: i64 = 8;
/// Between one event and the next, as far apart as a busy centre's.
const STEP_NS: i64 = 1_000;

fn main() {
    let mut args = std::env::args().skip(1);
    let operation = args
        .next()
        .expect("an operation: enqueue, release, abandon or arrival");
    let times: i64 = args
        .next()
        .and_then(|times| times.parse().ok())
        .expect("how many times");
    let mut queue = Queue::new();
    queue.medium("voice");
    for skill in 0..SKILLS_N {
        queue.skill(&skill.to_string());
    }
    let wants: Vec<i64> = (0..REQUIREMENTS_N)
        .map(|at| {
            i64::from(
                queue
                    .requirement(&[(at % SKILLS_N, 1 + at / SKILLS_N)], 0, 100)
                    .expect("in range"),
            )
        })
        .collect();
    let order = i64::from(queue.order(&["longest_idle"], 1, 0, 0, NEVER_NS).expect("known"));
    for agent in 0..AGENTS_N {
        let mut skills: Vec<(i64, i64)> = (0..SKILLS_EACH)
            .map(|at| ((agent % PROFILES_N + at * 6) % SKILLS_N, 9))
            .collect();
        skills.sort_unstable();
        skills.dedup();
        let profile = i64::from(queue.profile(&skills, 100, &[], &[]).expect("in range"));
        queue
            .add_agent(agent, profile, agent, true, None, 0, 0)
            .expect("new");
    }
    let wanted = |contact: i64| wants[(contact * 7 % REQUIREMENTS_N) as usize];
    let slack = operation == "arrival";
    let waiting_n = if slack { 0 } else { WAITING_N };
    for contact in 0..waiting_n {
        queue
            .enqueue(&Enqueue::plain(
                contact,
                wanted(contact),
                order,
                contact * STEP_NS,
            ))
            .expect("new");
    }
    let mut hands = queue.match_now(waiting_n * STEP_NS).expect("in range");
    if slack {
        // Each requirement was seen once, so that what is learnt then is not counted.
        for (at, wanted) in wants.iter().enumerate() {
            let told = Enqueue::plain(-1 - at as i64 + (1 << 40), *wanted, order, 0);
            let (held, agent) = queue.enqueue_then_match(&told, 0).expect("new")[0];
            queue
                .finish_then_match(held as i64, agent as i64, 0)
                .expect("in hand");
        }
    }
    for turn in 0..times {
        let (contact, now_ns) = (waiting_n + turn, (waiting_n + turn) * STEP_NS);
        match operation.as_str() {
            "enqueue" => {
                let told = Enqueue::plain(contact, wanted(contact), order, now_ns);
                assert!(queue.enqueue_then_match(&told, now_ns).expect("new").is_empty());
            }
            "release" => {
                let (held, agent) = hands[turn as usize];
                let made = queue
                    .finish_then_match(held as i64, agent as i64, now_ns)
                    .expect("in hand");
                hands.extend(made);
            }
            "abandon" => {
                let contact = (turn * 7919 + 1_000) % WAITING_N;
                if queue.is_waiting(contact).unwrap_or(false) {
                    queue.drop(contact, now_ns).expect("waiting");
                }
            }
            _ => {
                let told = Enqueue::plain(contact, wanted(contact), order, now_ns);
                let made = queue.enqueue_then_match(&told, now_ns).expect("new");
                let (held, agent) = made[0];
                queue
                    .finish_then_match(held as i64, agent as i64, now_ns)
                    .expect("in hand");
            }
        }
    }
}
