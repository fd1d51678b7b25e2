//! Budgets that several machines share: one hash in Redis for each scope and day, in pico-dollars.
//!
//! Redis adds up what everybody has used; what this process adds is numbered, so that an addition whose answer was lost is
//! made once: [`RESOLVE`] tells whether it was, and keeps it from being made late. What could not be added while Redis was
//! away is owed, and goes along with the next addition. A Redis that has forgotten everything is told it again.

use std::collections::BTreeMap;

/// Adds what is owed, and sets money aside where it fits. `KEYS` is the hash; `ARGV`: this process, the number, whether
/// there was one before, this machine, what it had used before it told anybody (or nothing), what is owed, what is set
/// aside and its negative, the cap (or nothing) and its negative, how long the hash is kept. Sums are 64-bit integers of
/// Redis's own: Lua's numbers see their signs alone.
pub(super) const ADD: &str = r"
local k = KEYS[1]
local last = redis.call('HGET', k, 'p:' .. ARGV[1])
if last then
  if tonumber(string.match(last, '^%d+')) >= tonumber(ARGV[2]) then return {-1, '0', 0} end
elseif ARGV[3] == '1' then
  return {-2, '0', 0}
end
local first = 0
if ARGV[5] ~= '' and redis.call('HSETNX', k, 'm:' .. ARGV[4], '1') == 1 then
  redis.call('HINCRBY', k, 'used', ARGV[5])
  first = 1
end
redis.call('HINCRBY', k, 'used', ARGV[6])
local granted = 1
if ARGV[9] ~= '' then
  redis.call('HINCRBY', k, 'used', ARGV[7])
  if redis.call('HINCRBY', k, 'used', ARGV[10]) > 0 then granted = 0 end
  redis.call('HINCRBY', k, 'used', ARGV[9])
  if granted == 0 then redis.call('HINCRBY', k, 'used', ARGV[8]) end
end
redis.call('HSET', k, 'p:' .. ARGV[1], ARGV[2] .. ' ' .. granted .. ' ' .. first)
redis.call('EXPIRE', k, ARGV[11])
return {granted, redis.call('HGET', k, 'used'), first}
";

/// What became of an addition whose answer was lost: `ARGV` is this process, the number, whether there was one before, and
/// how long the hash is kept.
pub(super) const RESOLVE: &str = r"
local last = redis.call('HGET', KEYS[1], 'p:' .. ARGV[1])
if last then
  local number, granted, first = string.match(last, '^(%d+) (%d) (%d)$')
  if tonumber(number) >= tonumber(ARGV[2]) then return {tonumber(granted), '0', tonumber(first)} end
elseif ARGV[3] == '1' then
  return {3, '0', 0}
end
redis.call('HSET', KEYS[1], 'p:' .. ARGV[1], ARGV[2] .. ' 2 0')
redis.call('EXPIRE', KEYS[1], ARGV[4])
return {2, '0', 0}
";

/// A scope and the day (UTC) of its budget.
pub(super) type Which = (String, i64);

/// What one of the scripts answers: a verdict, what all have used, and whether this machine was told of for the first time.
pub(super) type Answer = (i64, i64, i64);

/// What this process knows of one budget.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Purse {
    /// What this machine had used before this process told anybody. It goes along with every addition, and counts where
    /// nobody of this machine is known: at first, and when Redis has forgotten everything.
    opening: i64,
    /// What Redis has not been told.
    owed: i64,
    /// What Redis has been told by this process, beside that.
    told: i64,
    /// The number of the last addition.
    number: u64,
    /// Whether Redis has ever answered one.
    answered: bool,
    /// An addition whose answer was lost.
    doubt: Option<Addition>,
}

/// One addition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Addition {
    pub(super) number: u64,
    pub(super) again: bool,
    pub(super) opening: i64,
    pub(super) owed: i64,
    /// What is to be set aside, and the cap.
    pub(super) wish: Option<(i64, i64)>,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Became {
    /// It fitted.
    Granted,
    /// It did not: so much is used.
    Exceeded(i64),
    /// It was not made: the next one tells all of it.
    Unmade,
}

impl Purse {
    /// One of which this machine has used so much before.
    pub(super) fn new(opening: i64) -> Self {
        Self { opening, ..Self::default() }
    }

    /// Adds to what Redis is to be told.
    pub(super) const fn owe(&mut self, amount: i64) {
        self.owed = self.owed.saturating_add(amount);
    }

    /// Whether there is something to tell.
    pub(super) const fn is_behind(&self) -> bool {
        self.owed != 0 || self.doubt.is_some()
    }

    /// An addition whose answer was lost, which is asked for before anything else is added.
    pub(super) const fn doubt(&self) -> Option<Addition> {
        self.doubt
    }

    /// The next addition. It is in doubt until it is answered.
    pub(super) const fn add(&mut self, wish: Option<(i64, i64)>) -> Addition {
        self.number += 1;
        let (number, again, opening, owed) = (self.number, self.answered, self.opening, self.owed);
        let addition = Addition { number, again, opening, owed, wish };
        self.doubt = Some(addition);
        addition
    }

    /// Its answer.
    pub(super) fn answered(&mut self, addition: Addition, (verdict, used, _): Answer) -> Became {
        self.doubt = None;
        match verdict {
            // Redis has forgotten what it was told.
            -2 | 3 => {
                self.forgotten();
                return Became::Unmade;
            }
            -1 | 2 => return Became::Unmade,
            _ => {}
        }
        self.answered = true;
        self.owed = self.owed.saturating_sub(addition.owed);
        self.told = self.told.saturating_add(addition.owed);
        match (verdict, addition.wish) {
            (0, _) => Became::Exceeded(used),
            (_, wish) => {
                self.told = self.told.saturating_add(wish.map_or(0, |(bound, _)| bound));
                Became::Granted
            }
        }
    }

    /// All of it is to be told again. Of two processes of one machine that live at once the later one's opening may hold what
    /// the earlier one tells again, too: that is counted twice, for this day, rather than not at all.
    const fn forgotten(&mut self) {
        self.owe(self.told);
        (self.told, self.answered) = (0, false);
    }
}

/// Every budget that this process has asked for.
#[derive(Debug, Default)]
pub(super) struct Books {
    purses: BTreeMap<Which, Purse>,
}

impl Books {
    /// One of them; those of days long gone are let go.
    pub(super) fn purse(&mut self, which: &Which) -> &mut Purse {
        let day = which.1;
        if !self.purses.contains_key(which) {
            self.purses.retain(|(_, other), purse| *other + 40 > day || purse.is_behind());
        }
        self.purses.entry(which.clone()).or_default()
    }

    /// Begins one, unless it has begun.
    pub(super) fn open(&mut self, which: &Which, opening: i64) {
        self.purses.entry(which.clone()).or_insert_with(|| Purse::new(opening));
    }

    /// Those of which Redis has something to be told.
    pub(super) fn behind(&self) -> Vec<Which> {
        self.purses.iter().filter(|(_, purse)| purse.is_behind()).map(|(which, _)| which.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    /// What the scripts do, in Rust.
    #[derive(Debug, Default)]
    struct Server {
        used: i64,
        machines: Vec<usize>,
        last: BTreeMap<usize, (u64, i64, i64)>,
    }

    impl Server {
        /// Of two machines: each has one process after the other.
        fn add(&mut self, who: usize, addition: Addition) -> Answer {
            let machine = who % 2;
            match self.last.get(&who) {
                Some((number, ..)) if *number >= addition.number => return (-1, 0, 0),
                None if addition.again => return (-2, 0, 0),
                _ => {}
            }
            let first = i64::from(!self.machines.contains(&machine));
            if first == 1 {
                self.machines.push(machine);
                self.used += addition.opening;
            }
            self.used += addition.owed;
            let granted = addition.wish.is_none_or(|(bound, cap)| self.used + bound <= cap);
            if let Some((bound, _)) = addition.wish.filter(|_| granted) {
                self.used += bound;
            }
            self.last.insert(who, (addition.number, granted.into(), first));
            (granted.into(), self.used, first)
        }

        fn resolve(&mut self, who: usize, addition: Addition) -> Answer {
            match self.last.get(&who) {
                Some((number, granted, first)) if *number >= addition.number => return (*granted, 0, *first),
                None if addition.again => return (3, 0, 0),
                _ => {}
            }
            self.last.insert(who, (addition.number, 2, 0));
            (2, 0, 0)
        }
    }

    /// What goes wrong on the way.
    #[derive(Debug, Clone, Copy, PartialEq)]
    enum Luck {
        Good,
        AnswerLost,
        NeverSent,
        Late,
        Forgets,
    }

    const LUCK: [Luck; 5] = [Luck::Good, Luck::AnswerLost, Luck::NeverSent, Luck::Late, Luck::Forgets];

    fn settled(server: &mut Server, who: usize, purse: &mut Purse) {
        if let Some(addition) = purse.doubt() {
            let answer = server.resolve(who, addition);
            let became = purse.answered(addition, answer);
            // It was granted on this machine's own account meanwhile.
            if let (false, Some((bound, _))) = (became == Became::Granted, addition.wish) {
                purse.owe(bound);
            }
        }
    }

    #[test]
    fn what_a_machine_used_before_a_restart_is_told_to_a_redis_that_forgets() {
        let (mut server, mut before, mut after) = (Server::default(), Purse::new(10), Purse::new(80));
        let tell = |server: &mut Server, who, purse: &mut Purse, owed| {
            purse.owe(owed);
            while purse.is_behind() {
                let addition = purse.add(None);
                let answer = server.add(who, addition);
                purse.answered(addition, answer);
            }
            server.used
        };
        assert_eq!(tell(&mut server, 0, &mut before, 70), 80);
        assert_eq!(tell(&mut server, 2, &mut after, 5), 85, "the same machine's next process");
        for _ in 0..2 {
            server = Server::default();
            assert_eq!(tell(&mut server, 2, &mut after, 1) - after.told, 80);
        }
        assert_eq!(server.used, 87);
    }

    proptest! {
        /// Whatever is lost on the way, in the end Redis has been told of every amount once.
        #[test]
        fn every_amount_is_told_once(
            openings in prop::collection::vec(0..500_i64, 2),
            steps in prop::collection::vec((0..2_usize, 1..100_i64, 0..LUCK.len(), any::<bool>()), 1..60),
        ) {
            let mut server = Server::default();
            let mut purses: Vec<Purse> = openings.iter().map(|opening| Purse::new(*opening)).collect();
            let mut expected: i64 = openings.iter().sum();
            for (who, bound, luck, settle) in steps {
                if LUCK[luck] == Luck::Forgets {
                    server = Server::default();
                }
                settled(&mut server, who, &mut purses[who]);
                let addition = purses[who].add(Some((bound, 2_000)));
                match LUCK[luck] {
                    Luck::Good | Luck::Forgets => {
                        let answer = server.add(who, addition);
                        match purses[who].answered(addition, answer) {
                            Became::Granted => expected += bound,
                            Became::Exceeded(used) => prop_assert!(used + bound > 2_000),
                            // This machine's own rule holds.
                            Became::Unmade => {
                                purses[who].owe(bound);
                                expected += bound;
                            }
                        }
                    }
                    Luck::AnswerLost => {
                        server.add(who, addition);
                        expected += bound;
                    }
                    Luck::NeverSent => expected += bound,
                    Luck::Late => {
                        expected += bound;
                        settled(&mut server, who, &mut purses[who]);
                        let late = server.add(who, addition);
                        prop_assert!(late.0 < 0, "it was given up");
                    }
                }
                if settle {
                    purses[who].owe(1 - bound);
                    expected += 1 - bound;
                }
            }
            for (who, purse) in purses.iter_mut().enumerate() {
                for _ in 0..3 {
                    settled(&mut server, who, purse);
                    let addition = purse.add(None);
                    let answer = server.add(who, addition);
                    purse.answered(addition, answer);
                }
                prop_assert!(!purse.is_behind());
            }
            prop_assert_eq!(server.used, expected);
        }
    }
}
