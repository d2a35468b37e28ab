//! The queue's operations: each checks what it is given, changes the state, keeps the digest, and notes
//! which agents and contacts the next match must look at. Who gets whom is in `matching.rs`.

mod agents;
mod contacts;
mod hands;
mod questions;
mod records;
mod reservations;
mod rules;
mod time;

use std::collections::{BTreeMap, HashMap};
use std::hash::BuildHasherDefault;

use smallvec::SmallVec;

use crate::catalogue::Catalogue;
use crate::crews::{Agent, Crews, NO_AGENT};
use crate::hash::Folder;
use crate::lanes::Lanes;
use crate::lines::Slot;
use crate::loads::Loads;
use crate::pages::Pages;
use crate::ranked::Ranked;
use crate::shelves::Shelves;
use crate::slab::Slab;
use crate::table::Table;
use crate::timers::Timers;

/// Stands where an agent's id could.
pub const NOBODY: i64 = -1;

/// The timers' kinds, in the order that matters at one instant.
pub(crate) const RING: u32 = 0;
const PREFERENCE: u32 = 1;
const PRESSING: u32 = 2;

/// Past so many contacts to look at, the next match looks at the agents with room instead.
const DIRTY_CONTACTS_MAX: usize = 4096;

/// Several agents hold the contact: see its exceptions.
const SEVERAL: u32 = NO_AGENT - 1;

/// What a contact is, beside its id.
#[derive(Clone, Copy)]
pub(crate) struct Card {
    pub(crate) effective_ns: i64,
    pub(crate) terms: u32,
    /// NOWHERE when it has no exceptions.
    pub(crate) exceptions: u32,
}

/// A contact as the table keeps it, wherever it is.
#[derive(Clone, Copy, Default)]
pub(crate) struct Kept {
    effective_ns: i64,
    /// And EXCEPTIONAL where `exceptions_of` has more, WAITING while it waits.
    terms: u32,
    /// Its slot in its lane while it waits; else the one agent who has it, `NO_AGENT`, or SEVERAL.
    place: u32,
}

/// Beside the terms of a contact that has exceptions.
const EXCEPTIONAL: u32 = 1 << 31;

/// Beside the terms of a contact that waits.
const WAITING: u32 = 1 << 30;

/// A contact wherever it is.
#[derive(Clone, Copy)]
pub(crate) struct Contact {
    pub(crate) id: u64,
    pub(crate) card: Card,
    pub(crate) waiting: bool,
    holder: u32,
    /// Where it waits in its lane, as far as is known.
    slot: Slot,
}

/// What a contact has of its own, beyond its lane.
#[derive(Default)]
pub(crate) struct Exceptions {
    credit_ns: i64,
    pub(crate) preferred: Option<u64>,
    preferred_until_ns: i64,
    pub(crate) excluded: SmallVec<[u64; 2]>,
    holders: Vec<u32>,
    pub(crate) pressing: bool,
    /// The agent who drains for it.
    pub(crate) reserved: Option<u32>,
    /// It waits with its preferred agent instead of in its lane.
    pub(crate) private: bool,
}

/// What `Queue::enqueue` is told.
#[derive(Clone, Debug)]
pub struct Enqueue {
    pub contact: i64,
    pub requirement: i64,
    pub order: i64,
    pub queued_ns: i64,
    pub credit_ns: i64,
    pub priority: i64,
    pub rate: i64,
    pub ladder: i64,
    pub rung: i64,
    pub preferred: i64,
    pub preferred_until_ns: i64,
    pub excluded: Vec<i64>,
    pub waiting: bool,
}

impl Enqueue {
    /// A contact without peculiarities.
    #[must_use]
    pub fn plain(contact: i64, requirement: i64, order: i64, queued_ns: i64) -> Self {
        Self {
            contact,
            requirement,
            order,
            queued_ns,
            credit_ns: 0,
            priority: 0,
            rate: 1000,
            ladder: -1,
            rung: 0,
            preferred: NOBODY,
            preferred_until_ns: 0,
            excluded: Vec::new(),
            waiting: true,
        }
    }
}

/// What `Queue::change` is told; None leaves as it is.
#[derive(Clone, Default, Debug)]
pub struct Change {
    pub requirement: Option<i64>,
    pub order: Option<i64>,
    pub priority: Option<i64>,
    pub rate: Option<i64>,
    pub credit_ns: Option<i64>,
    pub ladder: Option<i64>,
    pub rung: Option<i64>,
}

/// The matching queue.
#[derive(Default)]
pub struct Queue {
    pub(crate) catalogue: Catalogue,
    pub(crate) contacts: Pages<Kept>,
    waiting_n: usize,
    pub(crate) exceptions: Slab<Exceptions>,
    /// By contact, of those that have any.
    exceptions_of: Table<u32>,
    pub(crate) lanes: Lanes,
    pub(crate) shelves: Shelves,
    pub(crate) agents: Slab<Agent>,
    pub(crate) agent_of: Pages<u32>,
    pub(crate) loads: Loads,
    pub(crate) crews: Crews,
    timers: Timers,
    /// By preferred agent, here or not: who waits and prefers them.
    pub(crate) prefers: HashMap<u64, Vec<u64>, BuildHasherDefault<Folder>>,
    /// By lane: who waits past the wait for a reservation and has none.
    pub(crate) pressing: BTreeMap<u32, Ranked<(i64, u64)>>,
    pub(crate) reserved: Vec<u32>,
    pub(crate) dirty_agents: Vec<u32>,
    pub(crate) dirty_contacts: Vec<u64>,
    pub(crate) dirty_everyone: bool,
    turn: u64,
    digest: u64,
}
