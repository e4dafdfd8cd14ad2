//! The budget of a pool for resends that add load to a failing provider.
//!
//! Twenty resends are granted a minute, and every success earns a fifth of one; at most twenty are saved up. So while
//! everything fails, resends stay few, however many requests there are.

use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use crate::sync::atomic::AtomicU32;
use crate::sync::{Mutex, lock};

/// The price of one resend, in units. A success earns one unit.
const COST: u32 = 5;

/// The balance at the start, which is also the largest: twenty resends.
const CAPACITY: u32 = 20 * COST;

/// The time in which one unit is granted: twenty resends a minute.
const GRANT: Duration = Duration::from_millis(600);

/// The budget that all stacks over one pool share. Earning is on the path of every request, so it reads no clock and takes
/// no lock.
#[derive(Debug)]
pub(crate) struct Budget {
    balance: AtomicU32,
    /// The time up to which units were granted; `None` before the first resend.
    granted: Mutex<Option<Instant>>,
}

impl Default for Budget {
    fn default() -> Self {
        Self { balance: AtomicU32::new(CAPACITY), granted: Mutex::default() }
    }
}

impl Budget {
    /// Adds the unit that a success earns.
    #[inline]
    pub(crate) fn earn(&self) {
        if self.balance.load(Relaxed) < CAPACITY {
            // Two successes at once may exceed the capacity by one unit, which does no harm.
            self.balance.fetch_add(1, Relaxed);
        }
    }

    /// Pays for a resend. False if the balance is too small.
    pub(crate) fn spend(&self, now: Instant) -> bool {
        let mut granted = lock(&self.granted);
        let (grant, upto) = grant(granted.unwrap_or(now), now);
        *granted = Some(upto);
        let add = |balance: u32| Some(balance.saturating_add(grant).min(CAPACITY));
        let _ = self.balance.fetch_update(Relaxed, Relaxed, add);
        self.balance.fetch_update(Relaxed, Relaxed, |balance| balance.checked_sub(COST)).is_ok()
    }
}

/// The units that are granted for the time from `since` to `now`, and the end of the time that they cover.
fn grant(since: Instant, now: Instant) -> (u32, Instant) {
    let shares = now.saturating_duration_since(since).as_millis() / GRANT.as_millis();
    match u32::try_from(shares) {
        Ok(shares) if shares < CAPACITY => (shares, since + GRANT * shares),
        // More units could not be saved up.
        _ => (CAPACITY, now),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn spend_all(budget: &Budget, now: Instant) -> usize {
        (0..1_000).filter(|_| budget.spend(now)).count()
    }

    #[test]
    fn resends_stop_when_nothing_succeeds_and_come_back_with_successes() {
        let (budget, now) = (Budget::default(), crate::clock::now());
        assert_eq!(spend_all(&budget, now), 20);
        for _ in 0..COST - 1 {
            budget.earn();
        }
        assert!(!budget.spend(now));
        budget.earn();
        assert!(budget.spend(now));
        for _ in 0..10_000 {
            budget.earn();
        }
        assert_eq!(spend_all(&budget, now), 20);
    }

    #[test]
    fn twenty_are_granted_a_minute_and_no_more_than_twenty_are_saved_up() {
        let (budget, start) = (Budget::default(), crate::clock::now());
        assert_eq!(spend_all(&budget, start), 20);
        let at = |millis| start + Duration::from_millis(millis);
        assert!(!budget.spend(at(2_999)));
        assert!(budget.spend(at(3_000)) && !budget.spend(at(3_000)));
        // Time that is too short for a unit counts for the next one, and a refused resend costs nothing.
        assert_eq!((3_001..60_000).step_by(7).filter(|millis| budget.spend(at(*millis))).count(), 18);
        assert_eq!(spend_all(&budget, at(63_000)), 2);
        assert_eq!(spend_all(&budget, at(3_600_000)), 20);
    }

    proptest! {
        /// In any minute at most twenty beside those that were saved up and those that were earned.
        #[test]
        fn no_minute_sees_more_than_forty_without_a_success(steps in prop::collection::vec(0_u64..4_000, 1..400)) {
            let (budget, start) = (Budget::default(), crate::clock::now());
            let (mut now, mut spent) = (start, Vec::new());
            for step in steps {
                now += Duration::from_millis(step);
                if budget.spend(now) {
                    spent.push(now);
                }
            }
            for first in &spent {
                let minute = Duration::from_secs(60);
                prop_assert!(spent.iter().filter(|at| *at >= first && **at - *first < minute).count() <= 40);
            }
        }
    }
}
