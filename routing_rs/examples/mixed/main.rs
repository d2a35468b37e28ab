//! Measures the queue inside Rust: `cargo run --release --example mixed -- --waiting 1000000 --mode mixed`.
//!
//! Prints one line of JSON: events a second, the latency of single events (each timed by itself in a
//! second pass, with the clock's own cost told), and bytes. `events_per_cpu_s` is by the thread's own time.
//! `worst_event_ns` and `worst_fill_ns` are the slowest event, and the slowest rule, sign-in or arrival while the centre fills,
//! by the thread's own clock and of two runs of the same history the quicker, so that neither the
//! scheduler's turns nor an interrupt counts as the queue's.
//! `--mode`: mixed (mostly full house; finishes, arrivals, abandons, priority changes, rings), saturated
//! (finishes and arrivals), slack (half the agents idle), unique (mixed, every requirement and profile
//! distinct). `--batch N` plays N events a call of `batch`, latencies apart. `--count 1` only plays the events,
//! each in `counted`, for callgrind to count the instructions there.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::type_complexity,
    reason = "small numbers, and tables read once"
)]

mod args;
mod centre;
mod clock;

use std::time::Instant;

use args::{Args, args};
use centre::{Centre, Event, STEP_NS};
use clock::thread_ns;

/// Apart, so that a profiler can be told to look at nothing else.
#[inline(never)]
fn play_all(centre: &mut Centre, events: &[Event]) {
    for event in events {
        centre.play(*event);
    }
}

/// The same events as the operations of a batch, each with its match.
fn operations(events: &[Event], order: i64, mut now_ns: i64) -> Vec<Vec<i64>> {
    let mut made = Vec::with_capacity(2 * events.len());
    for event in events {
        now_ns += STEP_NS;
        match *event {
            Event::Finish { contact, agent } => {
                made.push(vec![11, i64::from(contact), i64::from(agent), now_ns]);
            }
            Event::Arrive {
                contact,
                requirement,
                ladder: -1,
            } => made.push(vec![2, i64::from(contact), i64::from(requirement), order, now_ns]),
            Event::Arrive {
                contact,
                requirement,
                ladder,
            } => {
                let (contact, requirement) = (i64::from(contact), i64::from(requirement));
                made.push(vec![
                    2,
                    contact,
                    requirement,
                    order,
                    now_ns,
                    0,
                    0,
                    1000,
                    i64::from(ladder),
                ]);
            }
            Event::Abandon { contact } => made.push(vec![4, i64::from(contact), now_ns]),
            Event::Priority { contact, priority } => {
                made.push(vec![5, i64::from(contact), i64::from(priority)]);
            }
            Event::Nothing => {}
        }
        made.push(vec![1, now_ns]);
        made.push(vec![0, now_ns]);
    }
    made
}

/// Apart, so that callgrind can be told to count nothing else.
#[inline(never)]
fn counted(centre: &mut Centre, event: Event) {
    centre.play(event);
}

/// Draws and plays without a second queue, which under callgrind would take as long again.
fn count(args: &Args) {
    let mut centre = Centre::new(args, false);
    for turn in 0..args.events / 10 + args.events {
        let event = centre.draw(&args.mode);
        if turn < args.events / 10 {
            centre.play(event);
        } else {
            counted(&mut centre, event);
        }
        centre.note();
    }
    println!("{{\"events\": {}, \"pairs\": {}}}", args.events, centre.pairs_n);
}

/// The slowest of what was done twice, of each the quicker time.
fn worst(once_ns: &[u32], again_ns: &[u32]) -> u32 {
    let quicker = once_ns.iter().zip(again_ns).map(|(once, again)| once.min(again));
    quicker.max().copied().unwrap_or(0)
}

/// A history and how it ends, with what each event took when it was drawn.
struct Drawn {
    events: Vec<Event>,
    event_ns: Vec<u32>,
    fill_ns: Vec<u32>,
    ends: (usize, u64),
}

/// The events are drawn while another queue plays them, so that the measured one waits for no dice and no
/// look-up of the driver's; the same history must make the same pairs.
fn draw_all(args: &Args, events_n: usize) -> Drawn {
    let mut centre = Centre::new(args, true);
    let (mut events, mut event_ns) = (Vec::with_capacity(events_n), Vec::with_capacity(events_n));
    for _ in 0..events_n {
        let event = centre.draw(&args.mode);
        let before_ns = thread_ns();
        centre.play(event);
        event_ns.push((thread_ns() - before_ns) as u32);
        centre.note();
        events.push(event);
    }
    let ends = (centre.pairs_n, centre.queue.state_hash());
    Drawn {
        events,
        event_ns,
        fill_ns: centre.clock.spent_ns,
        ends,
    }
}

/// The slowest event and the slowest operation while the centre fills, of two runs the quicker of each.
fn slowest(args: &Args, drawn: &Drawn) -> (u32, u32) {
    let mut again = Centre::new(args, true);
    let mut event_ns: Vec<u32> = Vec::with_capacity(drawn.events.len());
    for event in &drawn.events {
        let before_ns = thread_ns();
        again.play(*event);
        event_ns.push((thread_ns() - before_ns) as u32);
    }
    (
        worst(&drawn.event_ns, &event_ns),
        worst(&drawn.fill_ns, &again.clock.spent_ns),
    )
}

fn main() {
    let mut args = args();
    if args.mode == "unique" {
        args.requirements = args.agents;
        args.profiles = args.agents;
    }
    if args.count > 0 {
        return count(&args);
    }
    let warm_n = args.events / 10;
    let timed_n = args.events.min(1_000_000);
    let drawn = draw_all(&args, warm_n + args.events + timed_n);
    let (worst_event_ns, worst_fill_ns) = slowest(&args, &drawn);

    let built = Instant::now();
    let mut centre = Centre::new(&args, false);
    let built_s = built.elapsed().as_secs_f64();
    let (warm, rest) = drawn.events.split_at(warm_n);
    let (measured, timed) = rest.split_at(args.events);
    for event in warm {
        centre.play(*event);
    }
    let operations = operations(
        if args.batch > 1 { measured } else { &[] },
        centre.order,
        centre.now_ns,
    );
    let (started, cpu_ns) = (Instant::now(), thread_ns());
    if args.batch > 1 {
        for operations in operations.chunks(3 * args.batch) {
            centre.pairs.clear();
            centre
                .queue
                .batch_into(operations, &mut centre.pairs)
                .expect("as it was drawn");
            centre.pairs_n += centre.pairs.len();
        }
        centre.now_ns += STEP_NS * args.events as i64;
    } else {
        play_all(&mut centre, measured);
    }
    let events_per_s = args.events as f64 / started.elapsed().as_secs_f64();
    let events_per_cpu_s = args.events as f64 / (thread_ns() - cpu_ns).max(1) as f64 * 1e9;

    let mut latency_ns: Vec<u64> = Vec::with_capacity(timed_n);
    for event in timed {
        let begun = Instant::now();
        centre.play(*event);
        latency_ns.push(begun.elapsed().as_nanos() as u64);
    }
    assert_eq!((centre.pairs_n, centre.queue.state_hash()), drawn.ends);
    let mut clock_ns: Vec<u64> = (0..10_000)
        .map(|_| Instant::now().elapsed().as_nanos() as u64)
        .collect();
    clock_ns.sort_unstable();
    latency_ns.sort_unstable();
    let at = |share: f64| {
        latency_ns
            .get((timed_n as f64 * share) as usize)
            .copied()
            .unwrap_or(0)
    };
    let (waiting_bytes, agent_bytes) = centre.queue.bytes();
    println!(
        concat!(
            "{{\"mode\": \"{}\", \"batch\": {}, \"waiting\": {}, \"agents\": {}, \"requirements\": {}, \"profiles\": {}, ",
            "\"events\": {}, \"events_per_s\": {:.0}, \"events_per_cpu_s\": {:.0}, \"p50_ns\": {}, \"p99_ns\": {}, \"p999_ns\": {}, ",
            "\"max_ns\": {}, \"worst_event_ns\": {}, \"worst_fill_ns\": {}, \"clock_ns\": {}, \"bytes_per_waiting\": {:.1}, \"bytes_per_agent\": {:.1}, ",
            "\"built_s\": {:.3}, \"pairs\": {}}}"
        ),
        args.mode,
        args.batch,
        centre.queue.waiting_n(),
        args.agents,
        args.requirements,
        args.profiles,
        args.events,
        events_per_s,
        events_per_cpu_s,
        at(0.5),
        at(0.99),
        at(0.999),
        latency_ns.last().copied().unwrap_or(0),
        worst_event_ns,
        worst_fill_ns,
        clock_ns[clock_ns.len() / 2],
        waiting_bytes as f64 / centre.queue.waiting_n().max(1) as f64,
        agent_bytes as f64 / args.agents.max(1) as f64,
        built_s,
        centre.pairs_n,
    );
}
