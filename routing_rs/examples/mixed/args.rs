//! What the command line says.

pub(crate) struct Args {
    pub(crate) waiting: usize,
    pub(crate) agents: usize,
    pub(crate) requirements: usize,
    pub(crate) profiles: usize,
    pub(crate) events: usize,
    pub(crate) mode: String,
    pub(crate) seed: u64,
    pub(crate) batch: usize,
    pub(crate) count: usize,
}

pub(crate) fn args() -> Args {
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
