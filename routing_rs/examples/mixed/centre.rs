//! The centre: its rules and people, and what happens to it, drawn and played.

use std::collections::HashSet;
use std::hint::black_box;

use centralita_routing::{Change, Enqueue, NEVER_NS, Pairs, Queue};

use crate::args::Args;
use crate::clock::Clock;

const SKILLS_N: u64 = 100;
const MEDIUM: i64 = 0;
pub(crate) const STEP_NS: i64 = 1_000;

/// splitmix64: the benchmark needs no dependency for its dice.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        ((u128::from(self.next()) * limit as u128) >> 64) as usize
    }

    pub(crate) fn skills(&mut self, least: usize, most: usize, level_max: usize) -> Vec<(i64, i64)> {
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
pub(crate) enum Event {
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

/// The centre, and what must be known to draw the next event.
pub(crate) struct Centre {
    pub(crate) queue: Queue,
    pub(crate) dice: Dice,
    pub(crate) requirements: Vec<i64>,
    pub(crate) order: i64,
    pub(crate) ladders: Vec<i64>,
    /// Contact and agent in hand.
    pub(crate) hands: Vec<(i64, i64)>,
    /// Contacts below this were enqueued; a few are gone already.
    pub(crate) next: u32,
    pub(crate) now_ns: i64,
    pub(crate) pairs: Pairs,
    pub(crate) pairs_n: usize,
    pub(crate) clock: Clock,
}

impl Centre {
    /// `timed` notes what each rule, sign-in and arrival takes.
    pub(crate) fn new(args: &Args, timed: bool) -> Self {
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

    pub(crate) fn match_now(&mut self) {
        self.pairs.clear();
        self.queue
            .match_into(self.now_ns, &mut self.pairs)
            .expect("a time in range");
        self.pairs_n += self.pairs.len();
    }

    /// Notes who has whom now.
    pub(crate) fn note(&mut self) {
        let pairs = self.pairs.iter();
        self.hands
            .extend(pairs.map(|(contact, agent)| (*contact as i64, *agent as i64)));
    }

    pub(crate) fn arrival(&mut self, with_ladder: bool) -> Event {
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

    pub(crate) fn finish(&mut self) -> Event {
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
    pub(crate) fn someone_waiting(&mut self) -> Option<u32> {
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
    pub(crate) fn draw(&mut self, mode: &str) -> Event {
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

    pub(crate) fn tell(&mut self, event: Event) {
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
    pub(crate) fn play(&mut self, event: Event) {
        self.now_ns += STEP_NS;
        self.tell(event);
        if self.queue.next_deadline_ns() <= self.now_ns {
            black_box(self.queue.advance(self.now_ns).expect("a time in range"));
        }
        self.match_now();
    }
}
