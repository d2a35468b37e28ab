//! A brute-force queue in a few lines, and a driver that holds the real one to it. Shared by the property
//! tests and the fuzzer. Written from the rules of protocol.py, not from the code under test; what it leaves
//! out (reservations, digests, rings of rings, errors) the lockstep with the naive queue covers.

use std::collections::{BTreeMap, BTreeSet};

use centralita_routing::{Change, Enqueue, NEVER_NS, Queue};

const MEDIA_N: usize = 3;
const UNITS: [i64; MEDIA_N] = [100, 33, 10];
const RATES: [i64; 3] = [1000, 400, 2500];

#[derive(Clone)]
struct Contact {
    requirement: usize,
    order: usize,
    effective_ns: i64,
    priority: i64,
    rate: i64,
    preferred: Option<i64>,
    excluded: BTreeSet<i64>,
    waiting: bool,
}

#[derive(Clone)]
struct Agent {
    profile: usize,
    available: bool,
    since_ns: i64,
    given: i64,
    turn: i64,
    hands: BTreeMap<i64, (usize, bool)>,
}

/// One history, told to both.
pub(crate) struct Driver {
    pub(crate) queue: Queue,
    now_ns: i64,
    next: i64,
    turn: i64,
    one_rate: bool,
    requirements: Vec<(Vec<(i64, i64)>, usize, i64)>,
    profiles: Vec<(Vec<(i64, i64)>, i64)>,
    orders: Vec<(Vec<&'static str>, usize, i64)>,
    interrupts: BTreeSet<(usize, usize)>,
    contacts: BTreeMap<i64, Contact>,
    agents: BTreeMap<i64, Agent>,
    pub(crate) pairs_n: usize,
}

impl Driver {
    pub(crate) fn new(seed: u64) -> Self {
        let mut made = Self {
            queue: Queue::new(),
            now_ns: 100,
            next: 0,
            turn: 0,
            one_rate: seed.is_multiple_of(2),
            requirements: Vec::new(),
            profiles: Vec::new(),
            orders: Vec::new(),
            interrupts: BTreeSet::new(),
            contacts: BTreeMap::new(),
            agents: BTreeMap::new(),
            pairs_n: 0,
        };
        if (seed / 2).is_multiple_of(2) {
            made.queue.disperse();
        }
        for medium in ["voice", "chat", "mail"] {
            made.queue.medium(medium);
        }
        for skill in ["a", "b", "c"] {
            made.queue.skill(skill);
        }
        for at in 0..6_i64 {
            let medium = (at % MEDIA_N as i64) as usize;
            let skills: Vec<(i64, i64)> = (0..3)
                .filter(|skill| (at + skill) % 3 == 0 || at % 4 == *skill)
                .map(|skill| (skill, 4 + at % 3))
                .collect();
            let handle = made
                .queue
                .requirement(&skills, medium as i64, UNITS[medium])
                .expect("in range");
            made.requirements.push((skills, medium, i64::from(handle)));
            let skills: Vec<(i64, i64)> = (0..3)
                .filter(|skill| (at + skill) % 4 != 0)
                .map(|skill| (skill, 4 + (at + skill) % 4))
                .collect();
            let handle = made.queue.profile(&skills, 100, &[], &[]).expect("in range");
            made.profiles.push((skills, i64::from(handle)));
        }
        let orders: [(&[&'static str], usize); 5] = [
            (&["longest_idle"], 1),
            (&["least_loaded", "longest_idle"], 1),
            (&["most_skilled", "fewest_contacts"], 1),
            (&["round_robin"], 1),
            (&["least_flexible", "longest_idle"], 2),
        ];
        for (keys, offer_to) in orders {
            let handle = made
                .queue
                .order(keys, offer_to as i64, 0, 0, NEVER_NS)
                .expect("known");
            made.orders.push((keys.to_vec(), offer_to, i64::from(handle)));
        }
        made
    }

    /// One operation and what it must lead to; every number is taken modulo what there is.
    pub(crate) fn step(&mut self, operation: u8, one: u16, other: u16) {
        self.now_ns += i64::from(one % 7);
        let (one, other) = (usize::from(one), usize::from(other));
        match operation % 12 {
            0..=2 => self.enqueue(one, other),
            3 => self.sign_in(one, other),
            4 => self.finish(one, other),
            5 => self.give_back(one, other),
            6 => self.drop(one),
            7 => self.change(one, other),
            8 => self.switch(one, other),
            9 => self.sign_out(one, other),
            10 => self.exclude(one, other),
            _ => self.interrupt(one, other),
        }
        if other % 3 != 0 {
            self.match_both();
        }
    }

    fn some<V>(map: &BTreeMap<i64, V>, at: usize) -> Option<i64> {
        if map.is_empty() {
            None
        } else {
            map.keys().nth(at % map.len()).copied()
        }
    }

    fn enqueue(&mut self, one: usize, other: usize) {
        let (requirement, order) = (one % self.requirements.len(), other % self.orders.len());
        let rate = if self.one_rate { RATES[0] } else { RATES[other % 3] };
        let mut told = Enqueue::plain(
            self.next,
            self.requirements[requirement].2,
            self.orders[order].2,
            self.now_ns,
        );
        (told.rate, told.priority) = (rate, (other / 7 % 3) as i64 / 2);
        told.credit_ns = if one.is_multiple_of(5) {
            (other % 40) as i64
        } else {
            0
        };
        let preferred = one.is_multiple_of(11).then_some((other % 8) as i64);
        told.preferred = preferred.unwrap_or(-1);
        told.preferred_until_ns = 1 << 60;
        self.queue.enqueue(&told).expect("new");
        let contact = Contact {
            requirement,
            order,
            effective_ns: self.now_ns - told.credit_ns,
            priority: told.priority,
            rate,
            preferred,
            excluded: BTreeSet::new(),
            waiting: true,
        };
        self.contacts.insert(self.next, contact);
        self.next += 1;
    }

    fn sign_in(&mut self, one: usize, other: usize) {
        let (agent, profile) = ((one % 8) as i64, other % self.profiles.len());
        let told = self
            .queue
            .add_agent(agent, self.profiles[profile].1, self.now_ns, true, None, 0, 0);
        assert_eq!(told.is_ok(), !self.agents.contains_key(&agent));
        let (since_ns, hands) = (self.now_ns, BTreeMap::new());
        self.agents.entry(agent).or_insert(Agent {
            profile,
            available: true,
            since_ns,
            given: 0,
            turn: 0,
            hands,
        });
    }

    fn sign_out(&mut self, one: usize, other: usize) {
        let Some(agent) = Self::some(&self.agents, one).filter(|_| other.is_multiple_of(4)) else {
            return;
        };
        let left = self.queue.remove_agent(agent, self.now_ns).expect("here");
        let gone = self.agents.remove(&agent).expect("here");
        assert_eq!(
            left.iter().map(|contact| *contact as i64).collect::<Vec<_>>(),
            gone.hands.keys().copied().collect::<Vec<_>>()
        );
        let alone = |contact: &&i64| self.holders(**contact).is_empty();
        let left: Vec<i64> = gone.hands.keys().filter(alone).copied().collect();
        for contact in &left {
            self.queue.requeue(*contact, self.now_ns).expect("here");
            self.contacts.get_mut(contact).expect("here").waiting = true;
        }
    }

    fn holders(&self, contact: i64) -> Vec<i64> {
        let holding = self
            .agents
            .iter()
            .filter(|(_, agent)| agent.hands.contains_key(&contact));
        holding.map(|(id, _)| *id).collect()
    }

    fn some_hand(&self, one: usize, other: usize) -> Option<(i64, i64)> {
        let agent = Self::some(&self.agents, one)?;
        Some((Self::some(&self.agents[&agent].hands, other)?, agent))
    }

    fn finish(&mut self, one: usize, other: usize) {
        let Some((contact, agent)) = self.some_hand(one, other) else {
            return;
        };
        self.queue.finish(contact, agent, self.now_ns).expect("in hand");
        let by = self.agents.get_mut(&agent).expect("here");
        by.hands.remove(&contact);
        by.since_ns = self.now_ns;
        if self.holders(contact).is_empty() {
            self.contacts.remove(&contact);
        }
    }

    fn give_back(&mut self, one: usize, other: usize) {
        let Some((contact, agent)) = self.some_hand(one, other) else {
            return;
        };
        let alone = self
            .queue
            .give_back(contact, agent, self.now_ns, other.is_multiple_of(2))
            .expect("in hand");
        let by = self.agents.get_mut(&agent).expect("here");
        if by.hands.remove(&contact).is_some_and(|(_, tentative)| !tentative) {
            (by.since_ns, by.given) = (self.now_ns, by.given - 1);
        }
        assert_eq!(alone, self.holders(contact).is_empty());
        let back = self.contacts.get_mut(&contact).expect("here");
        back.waiting = alone;
        if other.is_multiple_of(2) {
            back.excluded.insert(agent);
        }
    }

    fn drop(&mut self, one: usize) {
        let Some(contact) = Self::some(&self.contacts, one) else {
            return;
        };
        self.queue.drop(contact, self.now_ns).expect("here");
        for agent in self.agents.values_mut() {
            if agent
                .hands
                .remove(&contact)
                .is_some_and(|(_, tentative)| !tentative)
            {
                agent.since_ns = self.now_ns;
            }
        }
        self.contacts.remove(&contact);
    }

    fn change(&mut self, one: usize, other: usize) {
        let Some(contact) = Self::some(&self.contacts, one) else {
            return;
        };
        let (requirement, priority) = (other % self.requirements.len(), (other % 3) as i64);
        let told = Change {
            requirement: Some(self.requirements[requirement].2),
            priority: Some(priority),
            ..Change::default()
        };
        self.queue.change(contact, &told).expect("here");
        let one = self.contacts.get_mut(&contact).expect("here");
        (one.requirement, one.priority) = (requirement, priority);
    }

    fn switch(&mut self, one: usize, other: usize) {
        let Some(agent) = Self::some(&self.agents, one) else {
            return;
        };
        let (by, available) = (
            self.agents.get_mut(&agent).expect("here"),
            !other.is_multiple_of(3),
        );
        self.queue
            .set_available(agent, available, self.now_ns)
            .expect("here");
        if available && !by.available {
            by.since_ns = self.now_ns;
        }
        by.available = available;
    }

    fn exclude(&mut self, one: usize, other: usize) {
        let Some(contact) = Self::some(&self.contacts, one) else {
            return;
        };
        let agent = (other % 8) as i64;
        self.queue.exclude(contact, agent).expect("here");
        self.contacts
            .get_mut(&contact)
            .expect("here")
            .excluded
            .insert(agent);
    }

    fn interrupt(&mut self, one: usize, other: usize) {
        let pair = (one % MEDIA_N, other % MEDIA_N);
        if !self.interrupts.remove(&pair) {
            self.interrupts.insert(pair);
        }
        let pairs: Vec<(i64, i64)> = self
            .interrupts
            .iter()
            .map(|(by, over)| (*by as i64, *over as i64))
            .collect();
        self.queue.set_interrupts(&pairs).expect("known");
    }

    fn in_order(&self) -> Vec<i64> {
        let waiting = self.contacts.iter().filter(|(_, contact)| contact.waiting);
        let mut ids: Vec<i64> = waiting.map(|(id, _)| *id).collect();
        ids.sort_by_key(|id| {
            let contact = &self.contacts[id];
            (
                -contact.priority,
                -(contact.rate * (self.now_ns - contact.effective_ns)),
                *id,
            )
        });
        ids
    }

    fn eligible(&self, contact: &Contact, id: i64, agent: &Agent) -> bool {
        let (skills, medium, _) = &self.requirements[contact.requirement];
        let has = |(skill, level): &(i64, i64)| {
            self.profiles[agent.profile]
                .0
                .iter()
                .any(|(own, had)| own == skill && had >= level)
        };
        let blocking: i64 = agent
            .hands
            .values()
            .filter(|(held, _)| !self.interrupts.contains(&(*medium, *held)))
            .map(|(held, _)| UNITS[*held])
            .sum();
        let kept = contact
            .preferred
            .filter(|preferred| self.agents.contains_key(preferred) && !contact.excluded.contains(preferred));
        agent.available
            && skills.iter().all(has)
            && 100 - blocking >= UNITS[*medium]
            && !contact.excluded.contains(&id)
            && kept.is_none_or(|kept| kept == id)
    }

    fn choice(&self, contact: &Contact, id: i64, agent: &Agent) -> Vec<i64> {
        let own = &self.profiles[agent.profile].0;
        let level = |skill: i64| {
            own.iter()
                .find(|(have, _)| *have == skill)
                .map_or(0, |(_, level)| *level)
        };
        let units: i64 = agent.hands.values().map(|(medium, _)| UNITS[*medium]).sum();
        let mut values = Vec::new();
        for key in &self.orders[contact.order].0 {
            match *key {
                "longest_idle" => values.extend([i64::from(!agent.hands.is_empty()), agent.since_ns]),
                "least_loaded" => values.push(units * 100),
                "most_skilled" => {
                    values.push(
                        -self.requirements[contact.requirement]
                            .0
                            .iter()
                            .map(|(skill, _)| level(*skill))
                            .sum::<i64>(),
                    );
                }
                "fewest_contacts" => values.push(agent.given),
                "round_robin" => values.push(agent.turn),
                _ => values.push(own.len() as i64),
            }
        }
        values.push(id);
        values
    }

    fn match_once(&mut self) -> Option<Vec<(i64, i64)>> {
        for id in self.in_order() {
            let contact = &self.contacts[&id];
            let able = self
                .agents
                .iter()
                .filter(|(agent, one)| self.eligible(contact, **agent, one));
            let mut able: Vec<Vec<i64>> = able
                .map(|(agent, one)| self.choice(contact, *agent, one))
                .collect();
            able.sort();
            let offer_to = self.orders[contact.order].1;
            able.truncate(offer_to);
            if able.is_empty() {
                continue;
            }
            let medium = self.requirements[contact.requirement].1;
            self.contacts.get_mut(&id).expect("here").waiting = false;
            let mut pairs = Vec::new();
            for agent in able.iter().filter_map(|choice| choice.last()) {
                let by = self.agents.get_mut(agent).expect("here");
                by.hands.insert(id, (medium, offer_to > 1));
                if offer_to == 1 {
                    self.turn += 1;
                    (by.since_ns, by.given, by.turn) = (self.now_ns, by.given + 1, self.turn);
                }
                pairs.push((id, *agent));
            }
            return Some(pairs);
        }
        None
    }

    fn match_both(&mut self) {
        let mut expected = Vec::new();
        while let Some(pairs) = self.match_once() {
            expected.extend(pairs);
        }
        let made = self.queue.match_now(self.now_ns).expect("a time in range");
        let made: Vec<(i64, i64)> = made
            .iter()
            .map(|(contact, agent)| (*contact as i64, *agent as i64))
            .collect();
        assert_eq!(made, expected, "the pairs, in order");
        self.pairs_n += made.len();
        let waiting = self
            .queue
            .in_order(self.now_ns, usize::MAX)
            .expect("a time in range");
        assert_eq!(
            waiting.iter().map(|contact| *contact as i64).collect::<Vec<_>>(),
            self.in_order()
        );
        for (id, agent) in &self.agents {
            let keys = self.queue.agent_keys(*id).expect("here");
            assert_eq!(
                (keys.0, i64::from(keys.1), keys.2 as i64),
                (agent.since_ns, agent.given, agent.turn)
            );
        }
    }
}
