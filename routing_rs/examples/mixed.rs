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

use std::collections::HashSet;
use std::hint::black_box;
use std::time::Instant;

use centralita_routing::{Change, Enqueue, NEVER_NS, Pairs, Queue};

const SKILLS_N: u64 = 100;
const MEDIUM: i64 = 0;
const STEP_NS: i64 = 1_000;

struct Args {
    waiting: usize,
    agents: usize,
    requirements: usize,
    profiles: usize,
    events: usize,
    mode: String,
    seed: u64,
    batch: usize,
    count: usize,
}

fn args() -> Args {
    let mut made = Args {
        waiting: 100_000,
        agents: 10_000,
        requirements: 1_000,
        profiles: 1_000,
        events: 1_000_000,
        mode: "mixed".into(),
        seed: 1,
        batch: 1,
        count: 0,
    };
    let given: Vec<String> = std::env::args().skip(1).collect();
    for pair in given.chunks(2) {
        let [name, value] = pair else {
            panic!("{pair:?} lacks a value")
        };
        let number = || {
            value
                .parse()
                .unwrap_or_else(|_| panic!("{name} was {value}; a number is wanted"))
        };
        match name.as_str() {
            "--waiting" => made.waiting = number(),
            "--agents" => made.agents = number(),
            "--requirements" => made.requirements = number(),
            "--profiles" => made.profiles = number(),
            "--events" => made.events = number(),
            "--seed" => made.seed = number() as u64,
            "--batch" => made.batch = number().max(1),
            "--count" => made.count = number(),
            "--mode" => made.mode.clone_from(value),
            _ => panic!("{name} is not known"),
        }
    }
    assert!(
        ["mixed", "saturated", "slack", "unique"].contains(&made.mode.as_str()),
        "--mode was {}; known: mixed, saturated, slack, unique",
        made.mode
    );
    made
}

/// splitmix64: the benchmark needs no dependency for its dice.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        ((u128::from(self.next()) * limit as u128) >> 64) as usize
    }

    fn skills(&mut self, least: usize, most: usize, level_max: usize) -> Vec<(i64, i64)> {
        let wanted = least + self.below(most - least + 1);
        let mut chosen: Vec<(i64, i64)> = Vec::new();
        while chosen.len() < wanted {
            let skill = self.below(SKILLS_N as usize) as i64;
            if chosen.iter().all(|(other, _)| *other != skill) {
                chosen.push((skill, 1 + self.below(level_max) as i64));
            }
        }
        chosen.sort_unstable();
        chosen
    }
}

/// What happens to the centre, as it was drawn.
#[derive(Clone, Copy)]
enum Event {
    Finish {
        contact: u32,
        agent: u32,
    },
    Arrive {
        contact: u32,
        requirement: u32,
        ladder: i32,
    },
    Abandon {
        contact: u32,
    },
    Priority {
        contact: u32,
        priority: i32,
    },
    Nothing,
}

/// What each operation took while the centre filled.
#[derive(Default)]
struct Clock {
    timed: bool,
    spent_ns: Vec<u32>,
}

impl Clock {
    fn time<T>(&mut self, operation: impl FnOnce() -> T) -> T {
        if !self.timed {
            return operation();
        }
        let before_ns = thread_ns();
        let done = operation();
        self.spent_ns.push((thread_ns() - before_ns) as u32);
        done
    }
}

/// The centre, and what must be known to draw the next event.
struct Centre {
    queue: Queue,
    dice: Dice,
    requirements: Vec<i64>,
    order: i64,
    ladders: Vec<i64>,
    /// Contact and agent in hand.
    hands: Vec<(i64, i64)>,
    /// Contacts below this were enqueued; a few are gone already.
    next: u32,
    now_ns: i64,
    pairs: Pairs,
    pairs_n: usize,
    clock: Clock,
}

impl Centre {
    /// `timed` notes what each rule, sign-in and arrival takes.
    fn new(args: &Args, timed: bool) -> Self {
        let mut clock = Clock {
            timed,
            spent_ns: Vec::new(),
        };
        let mut queue = Queue::new();
        let mut dice = Dice(args.seed);
        for skill in 0..SKILLS_N {
            queue.skill(&format!("skill {skill}"));
        }
        queue.medium("voice");
        let unique = args.mode == "unique";
        let level_max = if unique { 10 } else { 5 };
        let mut seen = HashSet::new();
        let mut requirements = Vec::new();
        while requirements.len() < args.requirements {
            let skills = dice.skills(1, if unique { 3 } else { 2 }, level_max);
            if seen.insert(skills.clone()) {
                let made = clock.time(|| queue.requirement(&skills, MEDIUM, 100));
                requirements.push(i64::from(made.expect("in range")));
            }
        }
        let mut profiles = Vec::new();
        // The first set is kept: what it frees, an operation of the queue would have to tidy.
        let mut seen_profiles = HashSet::new();
        while profiles.len() < args.profiles {
            let skills = dice.skills(5, 15, 10);
            if seen_profiles.insert(skills.clone()) {
                let made = clock.time(|| queue.profile(&skills, 100, &[], &[]));
                profiles.push(i64::from(made.expect("in range")));
            }
        }
        let order = i64::from(
            queue
                .order(&["longest_idle"], 1, 0, 0, NEVER_NS)
                .expect("known key"),
        );
        let ladders = (0..args.requirements.min(1_000))
            .map(|at| {
                let wider = requirements[(at + 1) % requirements.len()];
                i64::from(queue.ladder(&[(3_000_000, wider, 0)]).expect("known"))
            })
            .collect();
        for agent in 0..args.agents {
            let profile = profiles[agent % profiles.len()];
            clock
                .time(|| queue.add_agent(agent as i64, profile, agent as i64, true, None, 0, 0))
                .expect("new");
        }
        let mut made = Self {
            queue,
            dice,
            requirements,
            order,
            ladders,
            hands: Vec::with_capacity(args.agents + 1),
            next: 0,
            now_ns: 1_000_000,
            pairs: Pairs::new(),
            pairs_n: 0,
            clock,
        };
        if args.mode == "slack" {
            for _ in 0..args.agents / 2 {
                let arrival = made.arrival(false);
                made.play(arrival);
                made.note();
            }
        } else {
            while made.queue.waiting_n() < args.waiting {
                for _ in made.queue.waiting_n()..args.waiting {
                    made.now_ns += STEP_NS;
                    let arrival = made.arrival(false);
                    let mut clock = std::mem::take(&mut made.clock);
                    clock.time(|| made.tell(arrival));
                    made.clock = clock;
                }
                made.match_now();
                made.note();
            }
        }
        made
    }

    fn match_now(&mut self) {
        self.pairs.clear();
        self.queue
            .match_into(self.now_ns, &mut self.pairs)
            .expect("a time in range");
        self.pairs_n += self.pairs.len();
    }

    /// Notes who has whom now.
    fn note(&mut self) {
        let pairs = self.pairs.iter();
        self.hands
            .extend(pairs.map(|(contact, agent)| (*contact as i64, *agent as i64)));
    }

    fn arrival(&mut self, with_ladder: bool) -> Event {
        let contact = self.next;
        self.next += 1;
        let ladder = if with_ladder {
            self.ladders[contact as usize % self.ladders.len()] as i32
        } else {
            -1
        };
        Event::Arrive {
            contact,
            requirement: self.requirements[self.dice.below(self.requirements.len())] as u32,
            ladder,
        }
    }

    fn finish(&mut self) -> Event {
        if self.hands.is_empty() {
            return Event::Nothing;
        }
        let at = self.dice.below(self.hands.len());
        let (contact, agent) = self.hands.swap_remove(at);
        Event::Finish {
            contact: contact as u32,
            agent: agent as u32,
        }
    }

    /// A contact that most likely waits.
    fn someone_waiting(&mut self) -> Option<u32> {
        for _ in 0..8 {
            let contact = self.dice.below(self.next as usize);
            if self.queue.is_waiting(contact as i64).unwrap_or(false) {
                return Some(contact as u32);
            }
        }
        None
    }

    /// Of 100 in the mixture 42 finishes, 46 arrivals, 6 abandons, 4 priority changes, 2 arrivals with a ring,
    /// and the rings themselves as they fall due.
    fn draw(&mut self, mode: &str) -> Event {
        let drawn = self.dice.below(100);
        match mode {
            "saturated" | "slack" if drawn < 50 => self.finish(),
            "saturated" | "slack" => self.arrival(false),
            _ if drawn < 42 => self.finish(),
            _ if drawn < 88 => self.arrival(false),
            _ if drawn < 94 => {
                let someone = self.someone_waiting();
                someone.map_or(Event::Nothing, |contact| Event::Abandon { contact })
            }
            _ if drawn < 98 => {
                let priority = self.dice.below(3) as i32;
                let someone = self.someone_waiting();
                someone.map_or(Event::Nothing, |contact| Event::Priority { contact, priority })
            }
            _ => self.arrival(true),
        }
    }

    fn tell(&mut self, event: Event) {
        match event {
            Event::Finish { contact, agent } => {
                self.queue
                    .finish(i64::from(contact), i64::from(agent), self.now_ns)
                    .expect("in hand");
            }
            Event::Arrive {
                contact,
                requirement,
                ladder,
            } => {
                let (contact, requirement) = (i64::from(contact), i64::from(requirement));
                let mut told = Enqueue::plain(contact, requirement, self.order, self.now_ns);
                told.ladder = i64::from(ladder);
                self.queue.enqueue(&told).expect("a new contact");
            }
            Event::Abandon { contact } => {
                self.queue.drop(i64::from(contact), self.now_ns).expect("waiting");
            }
            Event::Priority { contact, priority } => {
                let told = Change {
                    priority: Some(i64::from(priority)),
                    ..Change::default()
                };
                self.queue.change(i64::from(contact), &told).expect("waiting");
            }
            Event::Nothing => {}
        }
    }

    /// One event, what is due, and who gets whom.
    fn play(&mut self, event: Event) {
        self.now_ns += STEP_NS;
        self.tell(event);
        if self.queue.next_deadline_ns() <= self.now_ns {
            black_box(self.queue.advance(self.now_ns).expect("a time in range"));
        }
        self.match_now();
    }
}

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

/// What this thread has had of a processor, so that neighbours on the machine do not count; 0 elsewhere.
#[cfg(target_os = "linux")]
fn thread_ns() -> u64 {
    #[repr(C)]
    struct Timespec {
        s: i64,
        ns: i64,
    }
    unsafe extern "C" {
        fn clock_gettime(clock: i32, into: *mut Timespec) -> i32;
    }
    const CLOCK_THREAD_CPUTIME_ID: i32 = 3;
    let mut told = Timespec { s: 0, ns: 0 };
    // SAFETY: the call writes one timespec of two 64-bit words, as it is on 64-bit Linux, and `told` is that.
    // What std reads instead, /proc, is brought up to date at the scheduler's ticks alone: 4 ms.
    unsafe { clock_gettime(CLOCK_THREAD_CPUTIME_ID, &raw mut told) };
    (told.s * 1_000_000_000 + told.ns) as u64
}

#[cfg(not(target_os = "linux"))]
fn thread_ns() -> u64 {
    0
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
