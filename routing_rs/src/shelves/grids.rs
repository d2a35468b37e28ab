//! Where those stand who require one skill or two, and which threes of skills there are: for each pair of
//! skills a grid, by the levels somebody has of both.
//!
//! A place of a grid tells the least glance of all stalls that levels so high can serve, so that a freed agent
//! reads one word a pair, whatever waits there. What changes, a stall's head, pays for it: the places above
//! its own are found again where it was their least. Beside it a bit tells each third skill that somebody
//! waits with who requires the pair at such levels and less of the third. Compared with a shelf a pair, of
//! which the firsts are mostly out of reach, this reads a quarter as many lines, and none behind another.

use smallvec::SmallVec;

use crate::lanes::NO_GLANCE;
use crate::paged::Paged;

/// As many as there are levels.
const SIDE: usize = 10;

/// Most centres use the lower half of them; where a pair does, its grid takes a quarter of the memory.
const SIDE_MIN: usize = 5;

/// Third skills so far apart share a bit.
const THIRD_BITS: u32 = 64;

/// Threes of skills beyond so many share a number.
const THIRD_SKILLS: u32 = 128;

/// A skill, and the level it is held or required at.
pub(super) type Skilled = (u32, u32);

/// Skills with the levels they are held at, ascending by skill.
pub(super) type Levels = SmallVec<[Skilled; 24]>;

/// The number of a pair of skills, or of one skill with itself.
pub(super) fn pair_of(low: u32, high: u32) -> usize {
    (high * (high + 1) / 2 + low) as usize
}

/// A pair of skills and the levels required of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Corner {
    low: Skilled,
    high: Skilled,
}

impl Corner {
    /// Of two skills, or of one with itself.
    pub(super) fn new(one: Skilled, other: Skilled) -> Self {
        let (low, high) = (one.min(other), one.max(other));
        Self { low, high }
    }

    fn pair(&self) -> usize {
        pair_of(self.low.0, self.high.0)
    }

    fn levels(&self) -> (u32, u32) {
        (self.low.1, self.high.1)
    }
}

/// Three required skills: the two of which most is required, and the third.
#[derive(Clone, Copy, Debug)]
pub(super) struct Three {
    corner: Corner,
    third: u32,
}

impl Three {
    pub(super) fn new(mut required: [Skilled; 3]) -> Self {
        required.sort_unstable_by_key(|(skill, level)| (std::cmp::Reverse(*level), *skill));
        let [one, other, third] = required;
        Self {
            corner: Corner::new(one, other),
            third: third.0,
        }
    }

    pub(super) fn number(&self) -> u32 {
        three_of(self.corner.low.0, self.corner.high.0, self.third)
    }

    fn bit(&self) -> u64 {
        1 << (self.third % THIRD_BITS)
    }

    /// The numbers of all threes that share this one's bit.
    pub(super) fn beside(&self) -> impl Iterator<Item = u32> + use<> {
        let Self { corner, third } = *self;
        let thirds = (third % THIRD_BITS..THIRD_SKILLS).step_by(THIRD_BITS as usize);
        thirds.map(move |third| three_of(corner.low.0, corner.high.0, third))
    }
}

/// The number of three skills.
#[inline]
fn three_of(low: u32, high: u32, third: u32) -> u32 {
    let (low, high, third) = (low % THIRD_SKILLS, high % THIRD_SKILLS, third % THIRD_SKILLS);
    let (low, high) = (low.min(high), low.max(high));
    let (least, middle, most) = (low.min(third), third.clamp(low, high), high.max(third));
    most * (most + 1) * (most + 2) / 6 + pair_of(least, middle) as u32
}

#[derive(Clone, Copy)]
struct Cell {
    /// The least of those at these levels or below.
    least: u64,
    /// Which thirds somebody waits with at these levels or below.
    thirds: u64,
}

impl Cell {
    const EMPTY: Self = Self {
        least: NO_GLANCE,
        thirds: 0,
    };
}

/// A square of cells, by the levels of the lower skill and then of the higher; none until somebody comes.
#[derive(Default)]
struct Grid {
    cells: Box<[Cell]>,
}

impl Grid {
    fn side(&self) -> usize {
        if self.cells.len() == SIDE * SIDE {
            SIDE
        } else {
            SIDE_MIN
        }
    }

    /// What levels beyond the last tell is what the last tells.
    #[inline]
    fn at(&self, (low, high): (u32, u32)) -> Cell {
        let side = self.side();
        let (low, high) = ((low as usize).min(side) - 1, (high as usize).min(side) - 1);
        self.cells.get(high * side + low).copied().unwrap_or(Cell::EMPTY)
    }

    /// Makes room for levels.
    fn reach(&mut self, (low, high): (u32, u32)) {
        let beyond = low.max(high) as usize > SIDE_MIN;
        if self.cells.is_empty() || (beyond && self.side() < SIDE) {
            let side = if beyond { SIDE } else { SIDE_MIN };
            let places = 0..side * side;
            let cells = places.map(|place| self.at(((place % side) as u32 + 1, (place / side) as u32 + 1)));
            self.cells = cells.collect();
        }
    }

    fn each_above(&mut self, (low, high): (u32, u32), mut change: impl FnMut(&mut Cell)) {
        self.reach((low, high));
        let side = self.side();
        for line in self.cells.chunks_exact_mut(side).skip(high as usize - 1) {
            for cell in &mut line[low as usize - 1..] {
                change(cell);
            }
        }
    }

    /// Finds the least from some levels upwards again.
    fn find_again(&mut self, (low, high): (u32, u32), here: &[Standing]) {
        let side = self.side();
        let mut own = [NO_GLANCE; SIDE * SIDE];
        for one in here {
            own[(usize::from(one.high) - 1) * side + usize::from(one.low) - 1] = one.glance;
        }
        for line in high as usize - 1..side {
            for column in low as usize - 1..side {
                let place = line * side + column;
                let mut least = own[place];
                if line > 0 {
                    least = least.min(self.cells[place - side].least);
                }
                if column > 0 {
                    least = least.min(self.cells[place - 1].least);
                }
                self.cells[place].least = least;
            }
        }
    }
}

/// A stall with somebody in it.
#[derive(Clone, Copy)]
struct Standing {
    glance: u64,
    stall: u32,
    low: u8,
    high: u8,
}

/// What the grids told somebody.
#[derive(Default)]
pub(super) struct Told {
    /// The least glance within their levels.
    pub(super) least: u64,
    /// The pair where it is, when it is at no other.
    pair: Option<u32>,
    /// By pair, in the order of the levels held.
    thirds: SmallVec<[u64; 128]>,
}

/// By `pair_of`: the grid, and the stalls it is of.
#[derive(Default)]
pub(super) struct Grids {
    grids: Vec<Grid>,
    standing: Paged<Vec<Standing>>,
}

impl Grids {
    /// Reads every pair once, and decides nothing meanwhile: so the reads wait for memory together.
    #[inline]
    pub(super) fn ask(&self, held: &Levels, told: &mut Told) {
        let (mut least, mut next, mut found) = (NO_GLANCE, NO_GLANCE, 0);
        told.thirds.reserve(held.len() * (held.len() + 1) / 2);
        for (at, (high, high_level)) in held.iter().enumerate() {
            let row = pair_of(0, *high);
            let grids = self.grids.get(row..).unwrap_or_default();
            // Where the line of the higher level begins, in a grid of either side.
            let lines = [SIDE_MIN, SIDE].map(|side| side * ((*high_level as usize).min(side) - 1));
            told.thirds.extend(held[..=at].iter().map(|(low, low_level)| {
                let cells = grids.get(*low as usize).map_or(&[][..], |grid| &grid.cells);
                let column = *low_level as usize - 1;
                let place = if cells.len() == SIDE * SIDE {
                    lines[1] + column
                } else {
                    lines[0] + column.min(SIDE_MIN - 1)
                };
                let cell = cells.get(place).copied().unwrap_or(Cell::EMPTY);
                next = next.min(cell.least.max(least));
                found = if cell.least < least {
                    row + *low as usize
                } else {
                    found
                };
                least = least.min(cell.least);
                cell.thirds
            }));
        }
        told.least = least;
        told.pair = (next != least).then_some(found as u32);
    }

    /// Each stall within these levels that has the least glance.
    pub(super) fn first(&self, held: &Levels, told: &Told, mut visit: impl FnMut(u32)) {
        for (at, high) in held.iter().enumerate() {
            for low in &held[..=at] {
                let pair = pair_of(low.0, high.0);
                if told.pair.is_some_and(|only| only as usize != pair) {
                    continue;
                }
                for one in self.standing.get(pair).into_iter().flatten() {
                    let within = u32::from(one.low) <= low.1 && u32::from(one.high) <= high.1;
                    if one.glance == told.least && within {
                        visit(one.stall);
                    }
                }
            }
        }
    }

    /// Notes the glance of a stall's head, `NO_GLANCE` when it has none. A corner has one stall at most.
    pub(super) fn set(&mut self, corner: Corner, stall: u32, glance: u64) {
        self.reach(corner);
        let (grid, here) = (&mut self.grids[corner.pair()], &mut self.standing[corner.pair()]);
        let mut before = NO_GLANCE;
        if let Some(at) = here.iter().position(|one| one.stall == stall) {
            before = here[at].glance;
            here.swap_remove(at);
        }
        if glance != NO_GLANCE {
            here.push(Standing {
                glance,
                stall,
                low: corner.low.1 as u8,
                high: corner.high.1 as u8,
            });
        } else if before == NO_GLANCE {
            return;
        }
        if glance <= before {
            grid.each_above(corner.levels(), |cell| cell.least = cell.least.min(glance));
        } else if grid.at(corner.levels()).least == before {
            grid.find_again(corner.levels(), here);
        }
    }

    /// Somebody waits with a three.
    pub(super) fn add(&mut self, three: &Three) {
        let grid = self.reach(three.corner);
        grid.each_above(three.corner.levels(), |cell| cell.thirds |= three.bit());
    }

    /// Nobody waits with a three any more; `beside` are all who wait with one that may share its bit.
    pub(super) fn remove(&mut self, three: &Three, beside: impl Iterator<Item = Three>) {
        let grid = self.reach(three.corner);
        for cell in &mut grid.cells {
            cell.thirds &= !three.bit();
        }
        for other in beside.filter(|other| other.corner.pair() == three.corner.pair()) {
            grid.each_above(other.corner.levels(), |cell| cell.thirds |= other.bit());
        }
    }

    fn reach(&mut self, corner: Corner) -> &mut Grid {
        let pair = corner.pair();
        while self.standing.len() <= pair {
            self.standing.push(Vec::new());
            self.grids.push(Grid::default());
        }
        &mut self.grids[pair]
    }

    pub(super) fn bytes(&self) -> usize {
        let cells: usize = self.grids.iter().map(|grid| grid.cells.len()).sum();
        let standing: usize = self.standing.iter().map(Vec::capacity).sum();
        cells * size_of::<Cell>()
            + self.grids.capacity() * size_of::<Grid>()
            + standing * size_of::<Standing>()
            + self.standing.bytes()
    }
}

impl Told {
    /// Calls `visit` with the number of each three that somebody may wait with; one may come more than once.
    #[inline]
    pub(super) fn threes(&self, held: &Levels, mut visit: impl FnMut(u32)) {
        let all = held
            .iter()
            .fold(0_u128, |all, (skill, _)| all | 1 << (skill % THIRD_SKILLS));
        let (near, far) = (all as u64, (all >> THIRD_BITS) as u64);
        let mut thirds = self.thirds.iter();
        for (at, (high, _)) in held.iter().enumerate() {
            for ((low, _), with) in held[..=at].iter().zip(&mut thirds) {
                for (here, base) in [(with & near, 0), (with & far, THIRD_BITS)] {
                    for third in crate::bits::each(here, base) {
                        visit(three_of(*low, *high, third));
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn grids_agree_with_a_list(
            steps in prop::collection::vec((0_u32..4, 0_u32..4, 1_u32..=10, 1_u32..=10, 0_u64..40), 1..400),
            held in prop::collection::btree_map(0_u32..5, 1_u32..=10, 0..5),
        ) {
            let (mut grids, mut list) = (Grids::default(), std::collections::BTreeMap::new());
            let held: Levels = held.into_iter().collect();
            for (one, other, one_level, other_level, glance) in steps {
                let (low, high) = (one.min(other), one.max(other));
                // One skill alone is of one level.
                let high_level = if low == high { one_level } else { other_level };
                let stall = ((low * 4 + high) * 10 + one_level - 1) * 10 + high_level - 1;
                let glance = if glance < 10 { NO_GLANCE } else { glance };
                grids.set(Corner::new((low, one_level), (high, high_level)), stall, glance);
                list.insert(stall, (glance, [(low, one_level), (high, high_level)]));
                let has = |(skill, level): &(u32, u32)| {
                    held.iter().any(|(own, at)| own == skill && at >= level)
                };
                let within = list.iter().filter(|(_, (glance, required))| {
                    *glance != NO_GLANCE && required.iter().all(has)
                });
                let least = within.clone().map(|(_, (glance, _))| *glance).min();
                let mut told = Told::default();
                grids.ask(&held, &mut told);
                prop_assert_eq!(told.least, least.unwrap_or(NO_GLANCE));
                let mut stalls = Vec::new();
                grids.first(&held, &told, |stall| stalls.push(stall));
                stalls.sort_unstable();
                let expected: Vec<u32> =
                    within.filter(|(_, (glance, _))| Some(*glance) == least).map(|(stall, _)| *stall).collect();
                prop_assert_eq!(stalls, expected);
            }
        }

        #[test]
        fn no_three_within_reach_is_missed(
            steps in prop::collection::vec((prop::array::uniform3((0_usize..7, 1_u32..=10)), any::<bool>()), 1..200),
            held in prop::collection::btree_map(0_usize..7, 1_u32..=10, 0..7),
        ) {
            // Some share bits, some share numbers.
            const SKILLS: [u32; 7] = [1, 2, 65, 66, 129, 130, 200];
            let (mut grids, mut waiting) = (Grids::default(), Vec::<[Skilled; 3]>::new());
            let held: Levels = held.into_iter().map(|(skill, level)| (SKILLS[skill], level)).collect();
            for (drawn, comes) in steps {
                let mut required = drawn.map(|(skill, level)| (SKILLS[skill], level));
                required.sort_unstable();
                if required.windows(2).any(|two| two[0].0 == two[1].0) {
                    continue;
                }
                let known = waiting.iter().position(|other| *other == required);
                let three = Three::new(required);
                if comes && known.is_none() {
                    waiting.push(required);
                    grids.add(&three);
                } else if let Some(at) = known {
                    waiting.swap_remove(at);
                    let beside: Vec<u32> = three.beside().collect();
                    let others = waiting.iter().map(|other| Three::new(*other));
                    grids.remove(&three, others.filter(|other| beside.contains(&other.number())));
                }
                let (mut told, mut answer) = (Vec::new(), Told::default());
                grids.ask(&held, &mut answer);
                answer.threes(&held, |number| told.push(number));
                for required in &waiting {
                    let has = |(skill, level): &Skilled| held.iter().any(|(own, at)| own == skill && at >= level);
                    let reached = told.contains(&Three::new(*required).number());
                    prop_assert!(reached || !required.iter().all(has));
                }
            }
            for required in std::mem::take(&mut waiting) {
                grids.remove(&Three::new(required), std::iter::empty());
            }
            let (mut told, mut answer) = (0, Told::default());
            grids.ask(&held, &mut answer);
            answer.threes(&held, |_| told += 1);
            prop_assert_eq!(told, 0);
        }
    }
}
