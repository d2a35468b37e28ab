//! Drives the queue and a brute-force one through random histories until they differ:
//! `cargo run --release --example fuzz -- --seconds 60 [--seed S]`. With a seed it runs that one history.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::type_complexity,
    reason = "small numbers, and tables read once"
)]

#[path = "../tests/reference/mod.rs"]
mod reference;

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use reference::Driver;

const STEPS_N: usize = 600;

fn run(seed: u64) -> usize {
    let mut driver = Driver::new(seed);
    let mut state = seed;
    for _ in 0..STEPS_N {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut drawn = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        drawn = (drawn ^ (drawn >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        drawn ^= drawn >> 31;
        driver.step(drawn as u8, (drawn >> 8) as u16, (drawn >> 24) as u16);
    }
    driver.pairs_n
}

fn main() {
    let given: Vec<String> = std::env::args().skip(1).collect();
    let value = |name: &str| {
        let at = given.iter().position(|word| word == name)?;
        given.get(at + 1).and_then(|word| word.parse::<u64>().ok())
    };
    if let Some(seed) = value("--seed") {
        println!("seed {seed}: {} pairs agree", run(seed));
        return;
    }
    let ends = Instant::now() + Duration::from_secs(value("--seconds").unwrap_or(60));
    let first = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_nanos() as u64)
        >> 8;
    let (mut seed, mut pairs_n) = (first, 0);
    while Instant::now() < ends {
        // Told before it runs, so that the seed of a history that fails is the last line but the panic's.
        if (seed - first).is_multiple_of(1_000) {
            println!("from seed {seed}");
        }
        let outcome = std::panic::catch_unwind(|| run(seed));
        if let Ok(pairs) = outcome {
            pairs_n += pairs;
        } else {
            eprintln!("failed: --seed {seed}");
            std::process::exit(1);
        }
        seed += 1;
    }
    println!(
        "{} histories of {STEPS_N} steps agree, {pairs_n} pairs, seeds {first} to {}",
        seed - first,
        seed - 1
    );
}
