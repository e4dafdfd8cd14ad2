//! The request and the attempt, as a pick and a settlement need to know them.

use std::sync::Arc;

use super::State;
use crate::credentials::{CredentialId, Generation};
use crate::pool::prepared::Slot;

/// A request as the pool sees it: its conditions, and what its earlier attempts have done.
#[derive(Clone, Copy)]
pub(crate) struct RequestView<'a> {
    /// The only credential that may serve the request.
    pub(crate) pin: Option<&'a CredentialId>,
    /// Whether a credential was tried for the request.
    pub(crate) tried: &'a dyn Fn(&CredentialId) -> bool,
    /// The model of the request, if it is known. It is not read while no credential cools for a single model.
    pub(crate) model: Option<&'a Arc<str>>,
    /// The credential of the last attempt, if it is to be used again.
    pub(crate) same: Option<&'a CredentialId>,
    /// Whether the request has already waited for a refresh of this credential. It waits only once.
    pub(crate) awaited: &'a dyn Fn(&CredentialId) -> bool,
    /// Whether the request made this credential cool in this round.
    pub(crate) cooled_down: &'a dyn Fn(&CredentialId) -> bool,
    /// Whether the request has already used the credential of the attempt with a refreshed token.
    pub(crate) is_refreshed: bool,
    /// Whether another credential was refused with 403 for the request.
    pub(crate) is_refused_elsewhere: bool,
    /// Whether the request, after a failed connection, is sent with the same credential again.
    pub(crate) is_resendable: bool,
}

impl<'a> RequestView<'a> {
    /// A request without other conditions, for which these credentials were tried.
    pub(crate) fn new(
        pin: Option<&'a CredentialId>,
        tried: &'a dyn Fn(&CredentialId) -> bool,
        model: Option<&'a Arc<str>>,
    ) -> Self {
        Self {
            pin,
            tried,
            model,
            same: None,
            awaited: &|_| false,
            cooled_down: &|_| false,
            is_refreshed: false,
            is_refused_elsewhere: false,
            is_resendable: false,
        }
    }
}

/// What ending a cooldown needs to know about an attempt.
#[derive(Debug, Clone, Copy)]
pub(in crate::pool) struct AttemptRef<'a> {
    pub(in crate::pool) slot: &'a Arc<Slot>,
    pub(in crate::pool) generation: Generation,
    /// The pool's count of changes when the attempt began. Its outcome does not touch a cooldown that began later.
    pub(in crate::pool) started: u64,
    /// The model of its request, if it is known.
    pub(in crate::pool) model: Option<&'a str>,
}

impl State {
    /// Whether the credential at this place has not been tried for the request.
    pub(super) fn is_untried(&self, place: u32, request: &RequestView<'_>) -> bool {
        self.entry(place).is_some_and(|entry| !(request.tried)(&entry.credential.id))
    }
}
