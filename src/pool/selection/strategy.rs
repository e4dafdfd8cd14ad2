//! The [`Strategy`] trait, for users who want another selection than the built-in ones.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::UNIX_EPOCH;

use crate::clock::WallClock;
use crate::credentials::CredentialId;
use crate::pool::prepared::Slot;
use crate::pool::state::PoolEntry;
use crate::providers::quota::Quota;

/// Chooses one of the ready credentials for an attempt.
///
/// It is called for the first attempt of a request and for each failover, outside of the pool's lock. If it returns `None`
/// or an index that does not exist, or panics, the front of the order is taken.
///
/// ```
/// use oauth_marathon::pool::{Candidate, Choice, Strategy};
///
/// #[derive(Debug)]
/// struct LeastBusy;
///
/// impl Strategy for LeastBusy {
///     fn select(&self, _: &Choice<'_>, ready: &[Candidate]) -> Option<usize> {
///         (0..ready.len()).min_by_key(|at| ready[*at].in_flight)
///     }
/// }
/// ```
///
/// A strategy that prefers the credential with the most left of its [quota](crate::providers::quota), and keeps the
/// front if nothing is known; and its test, without a pool:
///
/// ```
/// use http::HeaderMap;
/// use oauth_marathon::pool::{Candidate, Choice, Strategy};
/// use oauth_marathon::providers::quota::Quota;
/// use std::time::SystemTime;
///
/// struct MostLeft;
///
/// impl Strategy for MostLeft {
///     fn select(&self, _: &Choice<'_>, ready: &[Candidate]) -> Option<usize> {
///         let left: Vec<f64> = ready.iter().map(|candidate| candidate.quota().left().unwrap_or(1.0)).collect();
///         // `max_by` takes the last of equals, which counted backwards is the one nearest to the front.
///         (0..ready.len()).rev().max_by(|one, other| left[*one].total_cmp(&left[*other]))
///     }
/// }
///
/// let candidate = |id: &str, remaining: u32| {
///     let mut headers = HeaderMap::new();
///     headers.insert("x-ratelimit-limit-tokens", 1_000.into());
///     headers.insert("x-ratelimit-remaining-tokens", remaining.into());
///     Candidate::unused(id.into()).with_quota(Quota::read(&headers, SystemTime::now()))
/// };
/// let choice = Choice::new(0, Some("conversation-1"));
/// assert_eq!(MostLeft.select(&choice, &[candidate("work", 100), candidate("home", 900)]), Some(1));
/// let unknown = ["work", "home"].map(|id| Candidate::unused(id.into()));
/// assert_eq!(MostLeft.select(&choice, &unknown), Some(0));
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not choose among credentials",
    label = "not a `Strategy`",
    note = "the built-in ones are set by name: `Settings::strategy`"
)]
pub trait Strategy: Send + Sync + 'static {
    /// The index in `ready` of the credential to use. `ready` is in the pool's order, front first, and never empty.
    fn select(&self, choice: &Choice<'_>, ready: &[Candidate]) -> Option<usize>;
}

/// The attempt that a credential is chosen for.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Choice<'a> {
    /// How many attempts the request has made so far.
    pub attempts: usize,
    /// The group of the request, as its [context](crate::RequestContext::with_group) states it.
    pub group: Option<&'a str>,
}

impl<'a> Choice<'a> {
    /// A choice for a request of this group that has made so many attempts.
    #[must_use]
    pub fn new(attempts: usize, group: Option<&'a str>) -> Self {
        Self { attempts, group }
    }
}

/// A credential that is ready.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Candidate {
    /// Its id.
    pub id: CredentialId,
    /// How many attempts use it now.
    pub in_flight: u32,
    /// How many attempts succeeded.
    pub successes: u64,
    /// How many attempts failed.
    pub failures: u64,
    quota: QuotaSource,
}

impl Candidate {
    /// A candidate that has not been used yet, with an unknown quota, for tests of a strategy. Its counts are public
    /// fields.
    ///
    /// ```
    /// use oauth_marathon::pool::{Candidate, Choice, Strategy};
    ///
    /// # struct LeastBusy;
    /// # impl Strategy for LeastBusy {
    /// #     fn select(&self, _: &Choice<'_>, ready: &[Candidate]) -> Option<usize> {
    /// #         (0..ready.len()).min_by_key(|at| ready[*at].in_flight)
    /// #     }
    /// # }
    /// let mut ready = ["work", "home"].map(|id| Candidate::unused(id.into()));
    /// ready[0].in_flight = 3;
    /// assert_eq!(LeastBusy.select(&Choice::new(0, None), &ready), Some(1));
    /// ```
    #[must_use]
    pub fn unused(id: CredentialId) -> Self {
        Self { id, in_flight: 0, successes: 0, failures: 0, quota: QuotaSource::Stated(Quota::unknown(UNIX_EPOCH)) }
    }

    /// Sets what its latest answers said about limits.
    #[must_use]
    pub fn with_quota(mut self, quota: Quota) -> Self {
        self.quota = QuotaSource::Stated(quota);
        self
    }

    /// What its latest answers said about limits, without what is no longer true.
    ///
    /// Each call parses the header fields, so call it once for each choice.
    #[must_use]
    pub fn quota(&self) -> Quota {
        match &self.quota {
            QuotaSource::Stated(quota) => quota.clone(),
            QuotaSource::Latest(slot, wall) => slot.quota.read(wall.now()),
        }
    }

    pub(in crate::pool) fn of(entry: &PoolEntry, wall: &Arc<dyn WallClock>) -> Self {
        let slot = &entry.access().slot;
        Self {
            id: slot.id.clone(),
            in_flight: slot.in_flight.load(Relaxed),
            successes: slot.successes.load(Relaxed),
            failures: entry.failures(),
            quota: QuotaSource::Latest(slot.clone(), wall.clone()),
        }
    }
}

/// The values that a candidate reads its quota from.
#[derive(Clone)]
enum QuotaSource {
    Stated(Quota),
    Latest(Arc<Slot>, Arc<dyn WallClock>),
}

impl fmt::Debug for QuotaSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QuotaSource").finish_non_exhaustive()
    }
}

/// Proves that the trait is object-safe.
const _: Option<&dyn Strategy> = None;
