//! What an attempt needs from the pool.

use std::sync::Arc;

use super::State;
use crate::config::WhenAllCooling;
use crate::credentials::CredentialId;

/// One attempt's wishes for a credential.
pub(crate) struct Ask<'a> {
    /// The only credential that may serve the request.
    pub(crate) pin: Option<&'a CredentialId>,
    /// The credential of the last attempt, where it is to be used again.
    pub(crate) same: Option<&'a CredentialId>,
    pub(crate) tried: &'a dyn Fn(&CredentialId) -> bool,
    /// Whether the attempt has waited for a refresh of this credential already. It waits only once.
    pub(crate) awaited: &'a dyn Fn(&CredentialId) -> bool,
    /// The model of the request. It is not read while no credential cools for a single model.
    pub(crate) model: Option<&'a Arc<str>>,
    pub(crate) when_all_cooling: WhenAllCooling,
}

impl State {
    /// Whether the credential at this place has not been tried for the request.
    pub(in crate::pool) fn is_untried(&self, place: u32, ask: &Ask<'_>) -> bool {
        self.entry(place).is_some_and(|entry| !(ask.tried)(&entry.credential.id))
    }
}
