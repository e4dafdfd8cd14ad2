//! Which of the ready credentials serves a request: for users who want another rule than the built-in ones.

use std::sync::atomic::Ordering::Relaxed;

use super::state::Entry;
use crate::account::CredentialId;

/// Chooses among the credentials that are ready.
///
/// It is asked for the first attempt of a request and for each one with another credential, outside of the pool's lock.
/// If it answers `None`, an index that does not exist, or panics, the front of the order is taken.
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
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not choose among credentials",
    label = "not a `Strategy`",
    note = "the built-in ones are set by name: `Settings::strategy`"
)]
pub trait Strategy: Send + Sync + 'static {
    /// The index in `ready` of the credential to use. `ready` is in the pool's order, front first, and never empty.
    fn select(&self, choice: &Choice<'_>, ready: &[Candidate]) -> Option<usize>;
}

/// What the choice is for.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Choice<'a> {
    /// How many attempts the request has made before.
    pub attempts: usize,
    /// What the request belongs to, as its [context](crate::RequestContext::with_group) says.
    pub group: Option<&'a str>,
}

impl<'a> Choice<'a> {
    pub(crate) fn new(attempts: usize, group: Option<&'a str>) -> Self {
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
    /// How many succeeded.
    pub successes: u64,
    /// How many failed.
    pub failures: u64,
}

impl Candidate {
    pub(super) fn of(entry: &Entry) -> Self {
        let slot = &entry.access.slot;
        Self {
            id: slot.id.clone(),
            in_flight: slot.in_flight.load(Relaxed),
            successes: slot.successes.load(Relaxed),
            failures: entry.failures,
        }
    }
}

/// Guards that the trait can be used as an object.
const _: Option<&dyn Strategy> = None;
