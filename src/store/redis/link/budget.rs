//! Budgets on the line: what is asked, what is owed, and what is in doubt.

use redis::cmd;

use super::super::books::{ADD, Addition, Answer, Became, RESOLVE, Which};
use super::super::slot::Slot;
use super::{PREFIX, Teller, Verdict};

/// A budget is kept in Redis for so many seconds after it was used last: longer than a month.
const KEEP: u64 = 40 * 24 * 3600;

impl Teller {
    /// Sets money aside for a request, which has set it aside on this machine already.
    pub(super) fn reserve(&mut self, which: &Which, bound: i64, cap: i64, slot: &Slot<Option<Verdict>>) {
        let became =
            if slot.is_given_up() || !self.settled(which) { None } else { self.add(which, Some((bound, cap))) };
        match became {
            Some(Became::Granted) => {
                slot.answer(Some(Verdict::Granted));
            }
            // A request that did not wait went out.
            Some(Became::Exceeded(used)) if slot.answer(Some(Verdict::Exceeded(used))) => {}
            _ => {
                // In doubt it is counted once that is known.
                if self.books.purse(which).doubt().is_none() {
                    self.books.purse(which).owe(bound);
                }
                slot.answer(None);
            }
        }
    }

    /// Adds what is owed, and what is wished for; `None` where that is in doubt, or cannot be done.
    pub(super) fn add(&mut self, which: &Which, wish: Option<(i64, i64)>) -> Option<Became> {
        // Once more where Redis has forgotten.
        for _ in 0..2 {
            let addition = self.books.purse(which).add(wish);
            let script = self.script(ADD, which, &addition);
            let answer = self.with(|line| script.query::<Answer>(line))?;
            let became = self.books.purse(which).answered(addition, answer);
            if became != Became::Unmade {
                return Some(became);
            }
        }
        None
    }

    /// Finds out what became of an addition whose answer was lost; false where that cannot be had.
    pub(super) fn settled(&mut self, which: &Which) -> bool {
        let Some(addition) = self.books.purse(which).doubt() else { return true };
        let script = self.script(RESOLVE, which, &addition);
        let Some(answer) = self.with(|line| script.query::<Answer>(line)) else { return false };
        let purse = self.books.purse(which);
        let became = purse.answered(addition, answer);
        // The request went out on this machine's own rule.
        if let (false, Some((bound, _))) = (became == Became::Granted, addition.wish) {
            purse.owe(bound);
        }
        true
    }

    fn script(&self, text: &str, (scope, day): &Which, addition: &Addition) -> redis::Cmd {
        let mut script = cmd("EVAL");
        script.arg(text).arg(1).arg(format!("{PREFIX}budget:{scope}:{day}"));
        script.arg(&self.state.process).arg(addition.number).arg(u8::from(addition.again));
        if text == RESOLVE {
            script.arg(KEEP);
            return script;
        }
        script.arg(&self.state.machine).arg(addition.opening).arg(addition.owed);
        match addition.wish {
            Some((bound, cap)) => script.arg(bound).arg(-bound).arg(cap).arg(-cap),
            None => script.arg("").arg("").arg("").arg(""),
        };
        script.arg(KEEP);
        script
    }
}
