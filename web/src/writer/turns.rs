//! The taking of turns: changes, removals and passes over sources share the writer's time, so that each gets on while
//! the others come without end. Pure: time comes in as what was used.
//!
//! The kind that has used the least goes next. A kind that had nothing to do has no claim to the time it did not use,
//! and none has to make up for more than [`DEBT`]: so none waits longer than that, and for the step under way.

use std::time::Duration;

/// Most time that a kind may be behind the others before it goes next again.
const DEBT: Duration = Duration::from_secs(2);

/// A kind of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Pushed documents: somebody waits.
    Change,
    /// A source is taken out.
    Removal,
    /// A source is brought up to date.
    Pass,
}

impl Kind {
    /// In the order in which they go when they have used the same time.
    pub(super) const ALL: [Self; 3] = [Self::Change, Self::Removal, Self::Pass];
}

/// The time each kind has used.
#[derive(Debug, Default)]
pub(super) struct Turns {
    used: [Duration; 3],
}

impl Turns {
    /// Who of those that wait goes next.
    pub(super) fn next(&mut self, waits: impl Fn(Kind) -> bool) -> Option<Kind> {
        let waiting: Vec<Kind> = Kind::ALL.into_iter().filter(|kind| waits(*kind)).collect();
        let next = waiting.iter().copied().min_by_key(|kind| self.used[*kind as usize])?;
        let level = self.used[next as usize];
        for kind in Kind::ALL {
            let used = &mut self.used[kind as usize];
            *used = if waiting.contains(&kind) { (*used).min(level + DEBT) } else { (*used).max(level) };
        }
        Some(next)
    }

    /// A kind has worked for this time.
    pub(super) fn spent(&mut self, kind: Kind, time: Duration) {
        self.used[kind as usize] += time;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: Duration = Duration::from_millis(10);

    /// The turns that each kind gets of `count`, if all wait all the time and a turn takes as long as told.
    fn turns_of(count: usize, takes: impl Fn(Kind) -> Duration) -> [usize; 3] {
        let (mut turns, mut got) = (Turns::default(), [0; 3]);
        for _ in 0..count {
            let kind = turns.next(|_| true).unwrap();
            turns.spent(kind, takes(kind));
            got[kind as usize] += 1;
        }
        got
    }

    #[test]
    fn a_flood_of_one_kind_leaves_the_others_their_share() {
        assert_eq!(turns_of(300, |_| STEP), [100, 100, 100]);
        let got = turns_of(1_200, |kind| if kind == Kind::Pass { 10 * STEP } else { STEP });
        assert!(got[2] >= 50 && got[0] >= 500 && got[1] >= 500, "{got:?}");
    }

    #[test]
    fn who_did_nothing_has_saved_nothing() {
        let mut turns = Turns::default();
        for _ in 0..100_000 {
            assert_eq!(turns.next(|kind| kind == Kind::Change), Some(Kind::Change));
            turns.spent(Kind::Change, STEP);
        }
        let mut passes_in_a_row = 0;
        while turns.next(|kind| kind != Kind::Removal) == Some(Kind::Pass) {
            turns.spent(Kind::Pass, STEP);
            passes_in_a_row += 1;
        }
        assert!(passes_in_a_row <= 2, "{passes_in_a_row}");
    }

    #[test]
    fn a_long_turn_is_made_up_for_in_bounded_time() {
        let mut turns = Turns::default();
        assert_eq!(turns.next(|kind| kind == Kind::Pass), Some(Kind::Pass));
        turns.spent(Kind::Pass, Duration::from_secs(3600));
        let mut waited = Duration::ZERO;
        while turns.next(|kind| kind != Kind::Removal) == Some(Kind::Change) {
            turns.spent(Kind::Change, STEP);
            waited += STEP;
        }
        assert!(waited <= DEBT + STEP, "{waited:?}");
        assert_eq!(Turns::default().next(|_| false), None);
    }
}
