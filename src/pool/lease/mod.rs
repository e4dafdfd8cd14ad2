//! Leases: one credential held for one attempt, from picking it until the attempt is over.
//!
//! `acquire` leases, `settle` applies the outcome. Both lock the state, call a transition, and send its effects after
//! the lock is released. This room decides nothing itself: `state` and `selection` say which credential is used, and
//! what an outcome means. It is not one call around a request, because the head of an answer comes long before its end,
//! and a caller may go away at any time.

mod acquire;
mod settle;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use http::{HeaderMap, HeaderName, HeaderValue};

pub(crate) use self::acquire::{Acquired, Unavailable};
use super::handle::{Pool, account};
use super::prepared::{Access, Slot};
use super::state::{AttemptRef, ProbeTarget};
use crate::credentials::CredentialId;
use crate::credentials::Generation;
use crate::error::TimedOut;
use crate::events::{Account, Event};
use crate::verdict::Verdict;

/// A credential that is in use: it counts as in flight until the lease is dropped.
///
/// Dropping it changes no health; only [settled](crate::layers::credential::CredentialLayer) attempts do.
#[must_use = "the credential counts as in flight until the lease is dropped"]
pub struct Lease {
    access: Arc<Access>,
    pool: Pool,
    /// The pool's count of changes when the lease began.
    started: u64,
    /// What the attempt probes, and since when, if it is a probe. Boxed, because few are.
    probe: Option<Box<(ProbeTarget, Instant)>>,
}

impl Lease {
    #[inline]
    fn new(access: Arc<Access>, pool: Pool, started: u64, probe: Option<Box<(ProbeTarget, Instant)>>) -> Self {
        access.slot.in_flight.fetch_add(1, Relaxed);
        Self { access, pool, started, probe }
    }

    /// The credential.
    #[must_use]
    pub fn credential(&self) -> &CredentialId {
        &self.access.slot.id
    }

    /// The generation of its token.
    #[must_use]
    pub fn generation(&self) -> Generation {
        self.access.generation
    }

    /// The header that carries the secret. The value is marked sensitive.
    #[must_use]
    pub fn header(&self) -> (&HeaderName, &HeaderValue) {
        (&self.access.name, &self.access.value)
    }

    pub(crate) fn pool(&self) -> &Pool {
        &self.pool
    }

    pub(crate) fn access(&self) -> &Arc<Access> {
        &self.access
    }

    /// Whether the credential may be cooling, as a whole or for some model.
    pub(crate) fn may_be_cooling(&self) -> bool {
        self.access.slot.troubled.load(Relaxed)
    }

    pub(crate) fn started(&self) -> u64 {
        self.started
    }

    /// Keeps what the header fields of an answer say about limits. They say it in failures too.
    #[inline]
    pub(crate) fn heard(&self, headers: &HeaderMap) {
        self.access.slot.quota.keep(headers);
    }

    /// Keeps what an event inside of an answer says about limits, and ends a cooldown that it contradicts.
    pub(crate) fn heard_event(&self, event: &[u8]) {
        self.access.slot.quota.keep_event(event);
        if self.may_be_cooling() {
            self.pool.event_seen(self, event);
        }
    }

    /// Sends the event that a time limit has cut this attempt, or the body of its answer, short.
    #[cold]
    pub(crate) fn timed_out(&self, timed_out: TimedOut) {
        self.pool.tell_timed_out(&self.access.slot, timed_out);
    }

    /// This attempt, in the form that ending a cooldown needs; `model` is the model of its request.
    fn attempt<'a>(&'a self, model: Option<&'a str>) -> AttemptRef<'a> {
        AttemptRef { slot: &self.access.slot, generation: self.access.generation, started: self.started, model }
    }
}

impl Pool {
    /// Sends the event that a time limit has cut an attempt short while it waited for a token of this credential. If
    /// the credential was removed meanwhile, no event is sent.
    #[cold]
    pub(crate) fn timed_out(&self, id: &CredentialId, timed_out: TimedOut) {
        let slot = self.state().find(id.as_str()).map(|entry| entry.access().slot.clone());
        if let Some(slot) = slot {
            self.tell_timed_out(&slot, timed_out);
        }
    }

    /// Sends the event that a request goes on with another credential.
    pub(crate) fn failed_over(&self, from: &CredentialId, to: &Lease, verdict: &Verdict) {
        self.0.events.emit(|| {
            let known = self.state().find(from.as_str()).map(|entry| account(&entry.access().slot));
            Event::FailedOver {
                provider: self.0.provider.clone(),
                from: known.unwrap_or_else(|| Account { id: from.clone(), label: from.as_str().into() }),
                to: account(&to.access().slot),
                status: verdict.status(),
                kind: verdict.kind(),
                shown_for: self.0.settings.toast_duration,
            }
        });
    }

    fn tell_timed_out(&self, slot: &Slot, timed_out: TimedOut) {
        let Self(inner) = self;
        inner.events.emit(|| Event::TimedOut {
            provider: inner.provider.clone(),
            credential: account(slot),
            timed_out,
        });
    }
}

impl Drop for Lease {
    #[inline]
    fn drop(&mut self) {
        self.access.slot.in_flight.fetch_sub(1, Relaxed);
        if let Some(probe) = self.probe.take() {
            self.pool.probe_ended(&probe.0, probe.1);
        }
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease")
            .field("credential", self.credential())
            .field("generation", &self.generation())
            .finish_non_exhaustive()
    }
}
