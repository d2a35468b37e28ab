//! Names and rules, interned once: everything else in the crate speaks in handles.
//!
//! Each thing keeps a hash of what it stands for, so that the digest of the state does not depend on
//! what was interned when.

use std::hash::{DefaultHasher, Hash, Hasher};

use crate::hash::{Tag, digest, text};
use crate::refused::{NUMBER_LIMIT, Outcome, TIME_LIMIT_NS, id, invalid, number, unknown, within};
use crate::skills::Skills;
use crate::slab::Slab;
use crate::table::Table;
use crate::timers::NEVER_NS;

const LEVEL_MAX: i64 = 10;

/// A key that agents may be ordered by.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u64)]
pub(crate) enum OrderKey {
    LongestIdle,
    LeastLoaded,
    MostSkilled,
    LeastFlexible,
    Rank,
    FewestContacts,
    RoundRobin,
    Random,
}

pub(crate) const ORDER_KEYS: [(&str, OrderKey); 8] = [
    ("longest_idle", OrderKey::LongestIdle),
    ("least_loaded", OrderKey::LeastLoaded),
    ("most_skilled", OrderKey::MostSkilled),
    ("least_flexible", OrderKey::LeastFlexible),
    ("rank", OrderKey::Rank),
    ("fewest_contacts", OrderKey::FewestContacts),
    ("round_robin", OrderKey::RoundRobin),
    ("random", OrderKey::Random),
];

#[derive(PartialEq, Eq, Hash)]
pub(crate) struct Requirement {
    pub(crate) skills: Skills,
    pub(crate) medium: u32,
    pub(crate) units: i64,
}

#[derive(PartialEq, Eq, Hash)]
pub(crate) struct Profile {
    pub(crate) skills: Skills,
    pub(crate) capacity: i64,
    pub(crate) limits: Box<[(u32, u32)]>,
    pub(crate) ranks: Box<[(u32, u32)]>,
}

impl Profile {
    #[inline]
    pub(crate) fn limit(&self, medium: u32) -> i64 {
        let found = self.limits.iter().find(|(limited, _)| *limited == medium);
        found.map_or(NUMBER_LIMIT, |(_, limit)| i64::from(*limit))
    }

    pub(crate) fn rank(&self, group: u32) -> i64 {
        self.ranks
            .iter()
            .find(|(named, _)| *named == group)
            .map_or(1, |(_, rank)| i64::from(*rank))
    }
}

#[derive(PartialEq, Eq, Hash)]
pub(crate) struct Order {
    pub(crate) keys: Box<[OrderKey]>,
    pub(crate) offer_to: usize,
    pub(crate) rank_group: u32,
    pub(crate) seed: u64,
    pub(crate) reserve_after_ns: i64,
}

/// After how many ns since it was queued, a contact requires what, and how much priority is added.
pub(crate) type Rung = (i64, u32, i64);

struct Interned<T> {
    handles: Table<u32>,
    kept: Slab<(T, u64)>,
}

impl<T> Default for Interned<T> {
    fn default() -> Self {
        Self {
            handles: Table::default(),
            kept: Slab::default(),
        }
    }
}

impl<T: Hash + Eq> Interned<T> {
    /// Things are kept once, under a hash that steps aside for another thing of the same hash.
    fn intern(&mut self, made: T, hash: impl FnOnce(&T) -> u64) -> u32 {
        let mut hasher = DefaultHasher::new();
        made.hash(&mut hasher);
        let mut key = hasher.finish() >> 1;
        while let Some(handle) = self.handles.get(key) {
            if self.kept[handle].0 == made {
                return handle;
            }
            key = (key + 1) & (u64::MAX >> 1);
        }
        let hashed = hash(&made);
        let handle = self.kept.add((made, hashed));
        self.handles.set(key, handle);
        handle
    }

    fn check(&self, what: &'static str, handle: i64) -> Outcome<u32> {
        if (0..self.kept.len() as i64).contains(&handle) {
            Ok(handle as u32)
        } else {
            unknown(what, handle)
        }
    }
}

/// Everything interned.
#[derive(Default)]
pub(crate) struct Catalogue {
    skills: Interned<String>,
    media: Interned<String>,
    requirements: Interned<Requirement>,
    profiles: Interned<Profile>,
    orders: Interned<Order>,
    ladders: Interned<Box<[Rung]>>,
}

fn pairs(name: &str, given: &[(i64, i64)]) -> Outcome<Vec<(i64, i64)>> {
    let mut made = given.to_vec();
    made.sort_unstable();
    if made.windows(2).any(|two| two[0].0 == two[1].0) {
        return invalid(format!("{name} {made:?} name one twice"));
    }
    Ok(made)
}

impl Catalogue {
    pub(crate) fn skill(&mut self, name: &str) -> u32 {
        self.skills.intern(name.to_owned(), |name| text(name))
    }

    pub(crate) fn medium(&mut self, name: &str) -> u32 {
        self.media.intern(name.to_owned(), |name| text(name))
    }

    pub(crate) fn requirement(&mut self, skills: &[(i64, i64)], medium: i64, units: i64) -> Outcome<u32> {
        let skills = self.levels(skills)?;
        let medium = self.check_medium(medium)?;
        let made = Requirement {
            skills,
            medium,
            units: number("units", units, 0)?,
        };
        let (skills, media) = (&self.skills, &self.media);
        Ok(self.requirements.intern(made, |made| {
            let hashed = skills_hash(skills, &made.skills);
            digest(
                Tag::Need,
                [hashed, media.kept[made.medium].1, made.units as u64, 0, 0, 0],
            )
        }))
    }

    pub(crate) fn profile(
        &mut self,
        skills: &[(i64, i64)],
        capacity: i64,
        limits: &[(i64, i64)],
        ranks: &[(i64, i64)],
    ) -> Outcome<u32> {
        let mut kept_limits = Vec::new();
        for (medium, limit) in pairs("limits", limits)? {
            kept_limits.push((self.check_medium(medium)?, number("limit", limit, 0)? as u32));
        }
        let mut kept_ranks = Vec::new();
        for (group, rank) in pairs("ranks", ranks)? {
            kept_ranks.push((
                number("rank group", group, 0)? as u32,
                number("rank", rank, 1)? as u32,
            ));
        }
        let made = Profile {
            skills: self.levels(skills)?,
            capacity: number("capacity", capacity, 0)?,
            limits: kept_limits.into_boxed_slice(),
            ranks: kept_ranks.into_boxed_slice(),
        };
        let (skills, media) = (&self.skills, &self.media);
        Ok(self.profiles.intern(made, |made| {
            let limits = made.limits.iter().fold(0_u64, |sum, (medium, limit)| {
                let name = media.kept[*medium].1;
                sum.wrapping_add(digest(Tag::Limit, [name, u64::from(*limit), 0, 0, 0, 0]))
            });
            let ranks = made.ranks.iter().fold(0_u64, |sum, (group, rank)| {
                sum.wrapping_add(digest(
                    Tag::Rank,
                    [u64::from(*group), u64::from(*rank), 0, 0, 0, 0],
                ))
            });
            let hashed = skills_hash(skills, &made.skills);
            digest(Tag::Profile, [hashed, made.capacity as u64, limits, ranks, 0, 0])
        }))
    }

    pub(crate) fn order(
        &mut self,
        keys: &[&str],
        offer_to: i64,
        rank_group: i64,
        seed: i64,
        reserve_after_ns: i64,
    ) -> Outcome<u32> {
        let mut kept = Vec::new();
        for name in keys {
            let Some((_, key)) = ORDER_KEYS.iter().find(|(known, _)| known == name) else {
                let known: Vec<_> = ORDER_KEYS.iter().map(|(known, _)| *known).collect();
                return invalid(format!("order key was '{name}'; known: {}", known.join(", ")));
            };
            if kept.contains(key) {
                return invalid(format!("order keys {keys:?} name one twice"));
            }
            kept.push(*key);
        }
        if reserve_after_ns != NEVER_NS {
            within("reserve_after_ns", reserve_after_ns, 0, TIME_LIMIT_NS)?;
        }
        let made = Order {
            keys: kept.into_boxed_slice(),
            offer_to: number("offer_to", offer_to, 1)? as usize,
            rank_group: number("rank_group", rank_group, 0)? as u32,
            seed: id("seed", seed)?,
            reserve_after_ns,
        };
        Ok(self.orders.intern(made, |made| {
            let keys = made.keys.iter().fold(0, |hashed, key| {
                digest(Tag::Key, [hashed, *key as u64, 0, 0, 0, 0])
            });
            let (offer_to, group) = (made.offer_to as u64, u64::from(made.rank_group));
            digest(
                Tag::Order,
                [keys, offer_to, group, made.seed, made.reserve_after_ns as u64, 0],
            )
        }))
    }

    pub(crate) fn ladder(&mut self, rungs: &[(i64, i64, i64)]) -> Outcome<u32> {
        let mut kept: Vec<Rung> = Vec::new();
        for (after_ns, requirement, added) in rungs {
            let requirement = self.check_requirement(*requirement)?;
            number("priority added", *added, 1 - NUMBER_LIMIT)?;
            within("after_ns", *after_ns, 0, TIME_LIMIT_NS)?;
            if kept.last().is_some_and(|before| before.0 > *after_ns) {
                return invalid(format!("rungs must ascend: {after_ns} ns comes too late"));
            }
            kept.push((*after_ns, requirement, *added));
        }
        let requirements = &self.requirements;
        Ok(self.ladders.intern(kept.into_boxed_slice(), |made| {
            made.iter().fold(0, |hashed, (after_ns, requirement, added)| {
                let required = requirements.kept[*requirement].1;
                digest(
                    Tag::Rung,
                    [hashed, *after_ns as u64, required, *added as u64, 0, 0],
                )
            })
        }))
    }

    fn levels(&self, skills: &[(i64, i64)]) -> Outcome<Skills> {
        let mut made = Vec::new();
        for (skill, level) in pairs("skills", skills)? {
            let level = within("level", level, 1, LEVEL_MAX + 1)?;
            made.push((self.skills.check("skill", skill)?, level as u32));
        }
        Ok(Skills::new(&made))
    }

    pub(crate) fn check_medium(&self, handle: i64) -> Outcome<u32> {
        self.media.check("medium", handle)
    }

    #[inline]
    pub(crate) fn check_requirement(&self, handle: i64) -> Outcome<u32> {
        self.requirements.check("requirement", handle)
    }

    pub(crate) fn check_profile(&self, handle: i64) -> Outcome<u32> {
        self.profiles.check("profile", handle)
    }

    #[inline]
    pub(crate) fn check_order(&self, handle: i64) -> Outcome<u32> {
        self.orders.check("order", handle)
    }

    /// A ladder (or -1 for none) and how many of its rungs are passed.
    #[inline]
    pub(crate) fn check_rung(&self, ladder: i64, rung: i64) -> Outcome<(u32, u32)> {
        if ladder == -1 {
            within("rung", rung, 0, 1)?;
            return Ok((NO_LADDER, 0));
        }
        let ladder = self.ladders.check("ladder", ladder)?;
        let rungs_n = self.ladders.kept[ladder].0.len() as i64;
        Ok((ladder, within("rung", rung, 0, rungs_n + 1)? as u32))
    }

    pub(crate) fn profiles_n(&self) -> usize {
        self.profiles.kept.len()
    }

    #[inline]
    pub(crate) fn requirement_at(&self, handle: u32) -> &Requirement {
        &self.requirements.kept[handle].0
    }

    #[inline]
    pub(crate) fn profile_at(&self, handle: u32) -> &Profile {
        &self.profiles.kept[handle].0
    }

    #[inline]
    pub(crate) fn order_at(&self, handle: u32) -> &Order {
        &self.orders.kept[handle].0
    }

    /// The next rung of a ladder after `rung` were passed.
    #[inline]
    pub(crate) fn rung_at(&self, ladder: u32, rung: u32) -> Option<Rung> {
        if ladder == NO_LADDER {
            return None;
        }
        self.ladders.kept[ladder].0.get(rung as usize).copied()
    }

    pub(crate) fn medium_hash(&self, handle: u32) -> u64 {
        self.media.kept[handle].1
    }

    pub(crate) fn requirement_hash(&self, handle: u32) -> u64 {
        self.requirements.kept[handle].1
    }

    #[inline]
    pub(crate) fn profile_hash(&self, handle: u32) -> u64 {
        self.profiles.kept[handle].1
    }

    pub(crate) fn order_hash(&self, handle: u32) -> u64 {
        self.orders.kept[handle].1
    }

    pub(crate) fn ladder_hash(&self, handle: u32) -> u64 {
        if handle == NO_LADDER {
            0
        } else {
            self.ladders.kept[handle].1
        }
    }
}

/// Stands where a ladder's handle could.
pub(crate) const NO_LADDER: u32 = u32::MAX;

fn skills_hash(names: &Interned<String>, skills: &Skills) -> u64 {
    skills.iter().fold(0, |sum: u64, (skill, level)| {
        let name = names.kept[skill].1;
        sum.wrapping_add(digest(Tag::Skill, [name, u64::from(level), 0, 0, 0, 0]))
    })
}
