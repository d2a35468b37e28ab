//! Loads: what agents have in hand, by medium; interned, because few distinct ones are ever in use.
//!
//! The load after one more contact is looked up, not computed, and what a medium may not interrupt is
//! summed once for each load.

use std::collections::{BTreeSet, HashMap};

/// One medium's share of a load: the medium, how many contacts, how many units.
type Share = (u32, i64, i64);

/// The load of empty hands.
pub(crate) const IDLE: u32 = 0;

const LOADS_MIN: usize = 4096;

/// To other loads: the medium, the units, the load. Mostly there is one.
#[derive(Default)]
struct Steps {
    first: Option<(u32, i64, u32)>,
    rest: Vec<(u32, i64, u32)>,
}

impl Steps {
    #[inline]
    fn find(&self, medium: u32, units: i64) -> Option<u32> {
        if let Some((on, each, next)) = self.first
            && (on, each) == (medium, units)
        {
            return Some(next);
        }
        self.rest
            .iter()
            .find(|(on, each, _)| (*on, *each) == (medium, units))
            .map(|(.., next)| *next)
    }

    fn add(&mut self, step: (u32, i64, u32)) {
        if self.first.is_none() {
            self.first = Some(step);
        } else {
            self.rest.push(step);
        }
    }
}

#[derive(Default)]
struct Load {
    shares: Box<[Share]>,
    units: i64,
    /// By medium: the units held on media it may not interrupt.
    blocking: Vec<i64>,
    /// (medium, units, load) with one contact more, and with one less.
    more: Steps,
    less: Steps,
    agents_n: u32,
}

/// Which medium may interrupt which, and every load in use.
pub(crate) struct Loads {
    loads: Vec<Load>,
    handles: HashMap<Box<[Share]>, u32>,
    free: Vec<u32>,
    sweep_at: usize,
    /// (by, over).
    pub(crate) interrupts: BTreeSet<(u32, u32)>,
}

impl Default for Loads {
    fn default() -> Self {
        let handles = HashMap::from([(Box::default(), IDLE)]);
        Self {
            loads: vec![Load::default()],
            handles,
            free: Vec::new(),
            sweep_at: LOADS_MIN,
            interrupts: BTreeSet::new(),
        }
    }
}

impl Loads {
    #[inline]
    pub(crate) fn units(&self, load: u32) -> i64 {
        self.loads[load as usize].units
    }

    #[inline]
    pub(crate) fn held(&self, load: u32, medium: u32) -> i64 {
        let shares = &self.loads[load as usize].shares;
        shares
            .iter()
            .find(|(on, _, _)| *on == medium)
            .map_or(0, |(_, held, _)| *held)
    }

    /// The units that a contact on this medium must leave alone.
    #[inline]
    pub(crate) fn blocking(&self, load: u32, medium: u32) -> i64 {
        let one = &self.loads[load as usize];
        one.blocking.get(medium as usize).copied().unwrap_or(one.units)
    }

    pub(crate) fn set_interrupts(&mut self, interrupts: BTreeSet<(u32, u32)>) {
        self.interrupts = interrupts;
        for load in &mut self.loads {
            load.blocking = blocking(&load.shares, &self.interrupts);
        }
    }

    /// The load with one contact more (`change` 1) or less (-1) than this one.
    #[inline]
    pub(crate) fn step(&mut self, load: u32, medium: u32, units: i64, change: i64) -> u32 {
        let one = &self.loads[load as usize];
        let known = if change > 0 { &one.more } else { &one.less };
        let next = match known.find(medium, units) {
            Some(next) => next,
            None => self.make(load, medium, units, change),
        };
        self.loads[load as usize].agents_n = self.loads[load as usize].agents_n.saturating_sub(1);
        self.loads[next as usize].agents_n += 1;
        next
    }

    /// Counts an agent with empty hands in, or an agent out.
    pub(crate) fn count(&mut self, load: u32, joined: bool) {
        let agents_n = &mut self.loads[load as usize].agents_n;
        *agents_n = if joined {
            *agents_n + 1
        } else {
            agents_n.saturating_sub(1)
        };
    }

    fn make(&mut self, load: u32, medium: u32, units: i64, change: i64) -> u32 {
        let mut shares = self.loads[load as usize].shares.to_vec();
        match shares.binary_search_by_key(&medium, |(on, _, _)| *on) {
            Ok(at) => {
                shares[at].1 += change;
                shares[at].2 += change * units;
                if shares[at].1 == 0 {
                    shares.remove(at);
                }
            }
            Err(at) => shares.insert(at, (medium, 1, units)),
        }
        let shares = shares.into_boxed_slice();
        let next = match self.handles.get(&shares) {
            Some(next) => *next,
            None => self.add(shares),
        };
        let one = &mut self.loads[load as usize];
        if change > 0 { &mut one.more } else { &mut one.less }.add((medium, units, next));
        next
    }

    fn add(&mut self, shares: Box<[Share]>) -> u32 {
        if self.free.is_empty() && self.loads.len() >= self.sweep_at {
            self.sweep();
        }
        let made = Load {
            units: shares.iter().map(|(_, _, units)| units).sum(),
            blocking: blocking(&shares, &self.interrupts),
            shares: shares.clone(),
            ..Load::default()
        };
        let handle = if let Some(handle) = self.free.pop() {
            self.loads[handle as usize] = made;
            handle
        } else {
            self.loads.push(made);
            self.loads.len() as u32 - 1
        };
        self.handles.insert(shares, handle);
        handle
    }

    /// Forgets loads that nobody has, when very many were seen (contacts of ever new units).
    fn sweep(&mut self) {
        for at in 1..self.loads.len() {
            self.loads[at].more = Steps::default();
            self.loads[at].less = Steps::default();
            if self.loads[at].agents_n == 0 {
                self.handles.remove(&self.loads[at].shares);
                self.free.push(at as u32);
            }
        }
        self.loads[0].more = Steps::default();
        self.sweep_at = (2 * (self.loads.len() - self.free.len())).max(LOADS_MIN);
    }
}

fn blocking(shares: &[Share], interrupts: &BTreeSet<(u32, u32)>) -> Vec<i64> {
    let media_n = interrupts.iter().map(|(by, _)| by + 1).max().unwrap_or(0);
    let held = |by: u32| {
        shares
            .iter()
            .filter(move |(on, _, _)| !interrupts.contains(&(by, *on)))
    };
    (0..media_n)
        .map(|by| held(by).map(|(_, _, units)| units).sum())
        .collect()
}
