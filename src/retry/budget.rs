//! A budget for resends that add load: shared by all requests of a layer, so that a failing provider is not hammered.

use std::sync::atomic::Ordering::Relaxed;

use crate::sync::atomic::AtomicU32;

/// What one resend costs; a success earns one. So one resend is granted for every five successes.
const COST: u32 = 5;

/// What is granted at the start, and the most that can be saved up: twenty resends.
const CAPACITY: u32 = 20 * COST;

#[derive(Debug)]
pub(crate) struct Budget(AtomicU32);

impl Default for Budget {
    fn default() -> Self {
        Self(AtomicU32::new(CAPACITY))
    }
}

impl Budget {
    /// Earns a share of a resend.
    #[inline]
    pub(crate) fn earn(&self) {
        if self.0.load(Relaxed) < CAPACITY {
            // Two that earn at once may pass the capacity by one: no harm.
            self.0.fetch_add(1, Relaxed);
        }
    }

    /// Pays for a resend, if there is enough.
    pub(crate) fn spend(&self) -> bool {
        self.0.fetch_update(Relaxed, Relaxed, |balance| balance.checked_sub(COST)).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resends_stop_when_nothing_succeeds_and_come_back_with_successes() {
        let budget = Budget::default();
        assert_eq!((0..1_000).filter(|_| budget.spend()).count(), 20);
        for _ in 0..COST - 1 {
            budget.earn();
        }
        assert!(!budget.spend());
        budget.earn();
        assert!(budget.spend());
        for _ in 0..10_000 {
            budget.earn();
        }
        assert_eq!((0..1_000).filter(|_| budget.spend()).count(), 20);
    }
}
