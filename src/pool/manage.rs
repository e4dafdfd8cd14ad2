//! Changing a pool while requests run: each change takes effect at once and as a whole.

use std::collections::HashSet;
use std::sync::Arc;

use super::handle::{Inner, Pool};
use super::prepared::Slot;
use super::state::{Arrival, Moment, State};
use crate::clock;
use crate::credentials::Secret;
use crate::credentials::{Credential, CredentialId, Material};
use crate::credentials::{Generation, TokenSet};
use crate::error::{Error, ErrorKind};
use crate::verdict::Scope;

impl Pool {
    /// Adds a credential at the back of the order.
    ///
    /// # Errors
    /// If it is malformed, or the pool holds one of the same id.
    pub fn add(&self, credential: Credential) -> Result<(), Error> {
        let moment = self.0.moment();
        self.change(|state| match state.place_of(credential.id.as_str()) {
            Some(_) => Err(duplicate(&credential.id)),
            None => self.0.add(state, credential, moment),
        })
    }

    /// Adds all of the credentials, in their order.
    pub(super) fn fill(&self, credentials: Vec<Credential>) -> Result<(), Error> {
        credentials.into_iter().try_for_each(|credential| self.add(credential))
    }

    /// Removes a credential, and says whether it was there. A refresh of it that is under way ends without effect.
    pub fn remove(&self, id: impl AsRef<str>) -> bool {
        let removed = self.change(|state| state.remove_for_good(id.as_ref()));
        removed.is_some()
    }

    /// Gives a credential new tokens or a new key. Failures that concern the old ones are forgotten.
    ///
    /// # Errors
    /// If the pool does not hold the credential, or the secret is malformed; the old one then stays.
    pub fn update(&self, id: impl AsRef<str>, material: impl Into<Material>) -> Result<(), Error> {
        let moment = self.0.moment();
        self.change(|state| {
            let place = state.place_of(id.as_ref()).ok_or_else(|| self.0.not_held(id.as_ref()))?;
            self.0.replace_material(state, place, material.into(), moment)
        })
    }

    /// Gives new tokens to the credential that holds this refresh token, and returns its id.
    ///
    /// # Errors
    /// If no credential holds it, or the new tokens are malformed.
    pub fn update_by_refresh_token(&self, refresh: &Secret, tokens: TokenSet) -> Result<CredentialId, Error> {
        let moment = self.0.moment();
        self.change(|state| {
            let (place, id) = state.holder_of(refresh).ok_or_else(|| {
                let message = format!("no credential of {:?} holds that refresh token", self.0.provider);
                Error::new(ErrorKind::UnknownCredential, message)
            })?;
            self.0.replace_material(state, place, tokens.into(), moment)?;
            Ok(id)
        })
    }

    /// Replaces all credentials in one step; no request sees a part of it. A credential that stays keeps its health,
    /// and its token too if the same one is given. The order is the new one.
    ///
    /// # Errors
    /// If one is malformed or an id is given twice; the old credentials then stay.
    pub fn replace(&self, credentials: Vec<Credential>) -> Result<(), Error> {
        let mut ids = HashSet::new();
        for credential in &credentials {
            if !ids.insert(credential.id.clone()) {
                return Err(duplicate(&credential.id));
            }
            self.0.check(credential)?;
        }
        let order = credentials.iter().map(|credential| credential.id.clone()).collect();
        let moment = self.0.moment();
        let mut removed = Vec::new();
        self.change(|state| {
            removed.extend(state.others_than(&ids).iter().map(|id| state.remove_for_good(id.as_str())));
            state.note_order(order);
            for credential in credentials {
                match state.place_of(credential.id.as_str()) {
                    None => self.0.add(state, credential, moment)?,
                    Some(place) => {
                        self.0.replace_credential(state, place, credential, moment)?;
                        state.move_to_back(place);
                    }
                }
            }
            Ok(())
        })
    }

    /// Ends what keeps a credential from being used. [`Scope::Credential`] ends everything, a ban and a lost login
    /// included; [`Scope::Model`] ends the cooldowns of single models; another scope ends the cooldowns of that scope.
    /// True if the pool holds the credential.
    pub fn clear(&self, id: impl AsRef<str>, scope: Scope) -> bool {
        self.change(|state| {
            let place = state.place_of(id.as_ref());
            place.map(|place| state.clear(place, scope)).is_some()
        })
    }

    /// Ends the cooldown of a credential for one model. True if there was one.
    pub fn clear_model(&self, id: impl AsRef<str>, model: impl AsRef<str>) -> bool {
        let model = model.as_ref();
        self.change(|state| {
            let place = state.place_of(id.as_ref());
            place.is_some_and(|place| state.clear_model(place, model))
        })
    }

    /// Marks the token of a credential as expired, so that it is refreshed before its next use. Returns false and does
    /// nothing if its generation is no longer `seen`, if it cannot be refreshed, or if a forced refresh was less than a
    /// minute ago.
    pub fn invalidate(&self, id: impl AsRef<str>, seen: Generation) -> bool {
        let now = clock::now();
        let has_source = self.0.source.is_some();
        self.change(|state| state.invalidate(id.as_ref(), seen, has_source, now))
    }

    /// Ends the pool. Requests that come now are refused. It returns when all refreshes under way are over, so that no
    /// new token is lost, and when the health of the credentials is in the store.
    pub async fn shutdown(&self) {
        {
            let mut state = self.state();
            state.close();
            self.reset_active(&state);
        }
        self.0.closing.send_replace(true);
        let mut refreshing = self.0.refreshing.subscribe();
        // This cannot fail, because the sender lives as long as this handle.
        let _ = refreshing.wait_for(|count| *count == 0).await;
        if let Err(error) = self.flush().await {
            tracing::warn!(target: "oauth_marathon", provider = %self.0.provider, %error, "not all of a pool could be stored");
        }
    }
}

impl Pool {
    /// Locks the state and changes it. Credentials whose cooldown is over join the order first, because they recovered
    /// before.
    pub(super) fn change<R>(&self, change: impl FnOnce(&mut State) -> R) -> R {
        let mut state = self.state();
        let effects = state.join(clock::now());
        let result = change(&mut state);
        self.reset_active(&state);
        self.unlock(state);
        self.emit(effects);
        result
    }
}

impl Inner {
    /// Adds a credential whose id is known to be free, and returns its place.
    pub(super) fn insert(
        &self,
        state: &mut State,
        credential: Credential,
        arrival: Arrival,
        moment: Moment,
    ) -> Result<u32, Error> {
        let admission = state.admit(&credential, arrival);
        let place = admission.place;
        let slot = Arc::new(Slot::new(&credential, place));
        match self.prepare(&credential, slot, admission.generation, moment) {
            Ok(access) => {
                state.insert(credential, Arc::new(access), admission);
                Ok(place)
            }
            Err(error) => {
                state.decline(admission);
                Err(error)
            }
        }
    }

    /// Adds a credential whose id is known to be free, and notes it for the store.
    fn add(&self, state: &mut State, credential: Credential, moment: Moment) -> Result<(), Error> {
        self.insert(state, credential, Arrival::Given { follows: self.follows }, moment).map(drop)
    }

    fn replace_material(&self, state: &mut State, place: u32, material: Material, moment: Moment) -> Result<(), Error> {
        let Some(entry) = state.entry(place) else { return Ok(()) };
        let credential = Credential { material, ..entry.credential().clone() };
        self.replace_credential(state, place, credential, moment)
    }

    fn replace_credential(
        &self,
        state: &mut State,
        place: u32,
        credential: Credential,
        moment: Moment,
    ) -> Result<(), Error> {
        let Some((slot, generation)) = state.replacement(place, &credential) else { return Ok(()) };
        let access = Arc::new(self.prepare(&credential, slot, generation, moment)?);
        state.put_in(place, credential, access);
        Ok(())
    }

    /// Checks that a credential can be sent in a header.
    pub(super) fn check(&self, credential: &Credential) -> Result<(), Error> {
        self.prepare(credential, Arc::new(Slot::new(credential, 0)), Generation::FIRST, self.moment()).map(drop)
    }

    pub(super) fn not_held(&self, id: &str) -> Error {
        Error::new(
            ErrorKind::UnknownCredential,
            format!("the pool of {:?} does not hold the credential {id:?}", self.provider),
        )
    }
}

fn duplicate(id: &CredentialId) -> Error {
    Error::config(format!(
        "the credential {id:?} is given twice; ids are unique in a pool, use Pool::update to change one"
    ))
}
