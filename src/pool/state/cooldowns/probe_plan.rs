//! The plan to probe a quota whose reset is far away: one request at a time, early, at growing intervals. Pure rules.
//!
//! A far reset is a hint and no promise: plans change, windows are reset early, people pay. But a probe is a real request,
//! which the provider most probably refuses. So one goes out only if no credential is ready for the request; while another
//! one serves, the stated time is kept to the end. With `whenAllCooling` `error` there are none, because then nothing is
//! sent while all credentials cool.

use std::time::{Duration, Instant};

use crate::verdict::Kind;

/// A cooldown that is not longer than this is kept as it was stated.
const FAR: Duration = Duration::from_secs(60 * 60);

/// The first probe goes out after this fraction of the cooldown: one eighth.
const FIRST: u32 = 8;

/// The shortest time until the first probe.
const SHORTEST: Duration = Duration::from_secs(15 * 60);

/// The longest interval between two probes.
const LONGEST: Duration = Duration::from_secs(6 * 60 * 60);

/// By how much an interval is lengthened at random, so that many processes do not probe at once.
const JITTER: f64 = 0.1;

/// The plan to probe one cooldown before its end. Each interval is twice the one before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::pool::state) struct ProbePlan {
    at: Instant,
    interval: Duration,
}

impl ProbePlan {
    /// The plan for a cooldown that begins now. Only a used-up quota whose reset was stated and is far away has one.
    /// `jitter` gives a number from 0 to 1.
    pub(in crate::pool::state) fn plan(
        cause: Kind,
        cooldown: Duration,
        guessed: bool,
        now: Instant,
        jitter: impl FnOnce() -> f64,
    ) -> Option<Self> {
        let is_hint = cause == Kind::QuotaExhausted && !guessed && cooldown > FAR;
        is_hint.then(|| {
            let interval = (cooldown / FIRST).clamp(SHORTEST, LONGEST);
            Self { at: after(now, interval, jitter()), interval }
        })
    }

    /// When the next probe is permitted.
    pub(in crate::pool::state) fn at(&self) -> Instant {
        self.at
    }

    /// Whether a probe may go out. An earlier one that has not ended does not count any more: it may hang for ever.
    pub(in crate::pool::state) fn is_due(&self, now: Instant) -> bool {
        self.at <= now
    }

    /// Notes that a probe goes out. The next one goes out an interval later, however this one ends.
    pub(in crate::pool::state) fn begin(&mut self, now: Instant, jitter: f64) {
        self.interval = (self.interval * 2).min(LONGEST);
        self.at = after(now, self.interval, jitter);
    }

    /// Postpones the next probe, because an answer has shown that the quota is still used up.
    pub(in crate::pool::state) fn put_off(&mut self, now: Instant, jitter: f64) {
        self.at = self.at.max(after(now, self.interval, jitter));
    }
}

fn after(now: Instant, interval: Duration, jitter: f64) -> Instant {
    now.checked_add(interval.mul_f64(1.0 + JITTER * jitter.clamp(0.0, 1.0))).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3_600;

    /// The minutes from the start at which probes go out.
    fn probes(cooldown: Duration, jitter: f64) -> Vec<u64> {
        let start = crate::clock::now();
        let Some(mut probe_plan) = ProbePlan::plan(Kind::QuotaExhausted, cooldown, false, start, || jitter) else {
            return Vec::new();
        };
        let mut probes = Vec::new();
        while probe_plan.at() < start + cooldown {
            probes.push((probe_plan.at() - start).as_secs() / 60);
            let now = probe_plan.at();
            assert!(probe_plan.is_due(now) && !probe_plan.is_due(now - Duration::from_millis(1)));
            probe_plan.begin(now, jitter);
            // A probe that hangs is the only one until the next is due; after that it does not count any more.
            assert!(!probe_plan.is_due(probe_plan.at() - Duration::from_millis(1)), "one at a time");
            assert!(probe_plan.is_due(probe_plan.at()));
        }
        probes
    }

    #[test]
    fn a_far_quota_is_probed_at_growing_intervals() {
        assert_eq!(probes(Duration::from_secs(HOUR), 0.0), [0; 0]);
        assert_eq!(probes(Duration::from_secs(2 * HOUR), 0.0), [15, 45, 105]);
        assert_eq!(probes(Duration::from_secs(24 * HOUR), 0.0), [180, 540, 900, 1_260]);
        assert_eq!(probes(Duration::from_secs(2 * HOUR), 1.0), [16, 49, 115], "never before its time");
        assert_eq!(probes(Duration::from_secs(8 * 24 * HOUR), 0.5).len(), 30);
    }

    #[test]
    fn only_a_quota_whose_reset_was_stated_is_a_hint() {
        let day = Duration::from_secs(24 * HOUR);
        let now = crate::clock::now();
        for cause in [Kind::Throttled, Kind::Billing, Kind::Network, Kind::Unauthorized] {
            assert_eq!(ProbePlan::plan(cause, day, false, now, || 0.0), None, "{cause:?}");
        }
        assert_eq!(ProbePlan::plan(Kind::QuotaExhausted, day, true, now, || 0.0), None);
        assert!(ProbePlan::plan(Kind::QuotaExhausted, Duration::MAX, false, now, || 0.0).is_some());
    }

    #[test]
    fn news_that_it_is_still_used_up_saves_a_probe() {
        let start = crate::clock::now();
        let mut probe_plan =
            ProbePlan::plan(Kind::QuotaExhausted, Duration::from_secs(16 * HOUR), false, start, || 0.0).unwrap();
        assert_eq!(probe_plan.at(), start + Duration::from_secs(2 * HOUR));
        probe_plan.put_off(start + Duration::from_secs(HOUR), 0.0);
        assert_eq!(probe_plan.at(), start + Duration::from_secs(3 * HOUR));
        probe_plan.put_off(start, 0.0);
        assert_eq!(probe_plan.at(), start + Duration::from_secs(3 * HOUR), "older news change nothing");
    }
}
