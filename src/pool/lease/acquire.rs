//! Leases a credential for an attempt: locks the state, picks, and begins a refresh if one is needed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::Uri;

use super::Lease;
use crate::clock;
use crate::credentials::{CredentialId, Generation};
use crate::error::{Error, ErrorKind};
use crate::pool::handle::{Inner, Pool};
use crate::pool::refresh::Ticket;
use crate::pool::selection::{Candidate, Choice};
use crate::pool::state::{Need, Pick, PoolEntry, RefreshOutcome, RequestView, State};
use crate::sync::oneshot;

/// The result of [`Pool::acquire`].
#[derive(Debug)]
pub(crate) enum Acquired {
    Lease(Lease),
    /// The token of this credential, at this generation, is being refreshed. Acquire again when that is done.
    Refreshing {
        awaited: (CredentialId, Generation),
        done: oneshot::Receiver<RefreshOutcome>,
    },
    None(Unavailable),
}

/// Why there is no credential to lease.
#[derive(Debug)]
pub(crate) enum Unavailable {
    /// Every credential that could serve cools. The first one recovers after this time.
    Cooling(Duration),
    /// There is no credential, or none that recovers by itself.
    Error(Error),
}

impl Pool {
    /// Leases the active credential, if there is one whose token needs no refresh first.
    ///
    /// Every request calls this first. It takes no lock, and reads the clock only for a token that expires.
    #[inline]
    #[must_use]
    pub fn try_lease(&self) -> Option<Lease> {
        let access = self.0.active.find_fresh()?;
        Some(Lease::new(access, self.clone(), self.changes(), None))
    }

    /// The active credential: the front of the order. The next request begins with it, unless a pin, a limit of its
    /// model, or a [`Strategy`](crate::pool::Strategy) of yours says otherwise. `None` while none is ready,
    /// and after a shutdown.
    ///
    /// With the sticky selection it takes no lock while that credential's token is fresh; otherwise it takes the pool's lock
    /// for a moment. A [`snapshot`](Pool::snapshot) says more and costs more.
    ///
    /// ```
    /// use oauth_marathon::{Credential, Pool, Secret};
    ///
    /// let pool = Pool::builder("openai")
    ///     .origin("https://api.example.com")
    ///     .credential(Credential::new("work", Secret::new("key-1")))
    ///     .credential(Credential::new("home", Secret::new("key-2")))
    ///     .build()?;
    /// assert_eq!(pool.active(), Some("work".into()));
    /// pool.remove("work");
    /// assert_eq!(pool.active(), Some("home".into()));
    /// # Ok::<_, oauth_marathon::Error>(())
    /// ```
    #[inline]
    #[must_use]
    pub fn active(&self) -> Option<CredentialId> {
        match self.0.active.find_fresh() {
            Some(access) => Some(access.slot.id.clone()),
            None => self.front(clock::now()),
        }
    }

    /// The front of the order. If the queue is empty, the first credential whose cooldown is over.
    #[cold]
    fn front(&self, now: Instant) -> Option<CredentialId> {
        self.state().front(now).map(|entry| entry.credential().id.clone())
    }

    /// Leases a credential by all the rules. If its token is about to expire, a refresh begins in the background.
    pub(crate) fn acquire(&self, request: &RequestView<'_>, choice: &Choice<'_>) -> Result<Acquired, Error> {
        let Self(inner) = self;
        let (now, mode) = (clock::now(), inner.settings.when_all_cooling);
        let mut state = self.state();
        let effects = state.join(now);
        let mut pick = state.pick(now, request, mode);
        let is_free = request.pin.is_none() && request.same.is_none();
        if matches!(pick, Pick::Ready(_)) && is_free && inner.selection.compares() {
            let candidates = self.candidates(&state, request);
            // A strategy is foreign code, so the lock is released while it chooses.
            drop(state);
            let chosen = inner.selection.select(choice, &candidates);
            state = self.state();
            let chosen =
                chosen.and_then(|at| candidates.get(at)).and_then(|candidate| state.place_of(candidate.id.as_str()));
            pick = match chosen.filter(|place| state.is_ready(*place, request.model)) {
                Some(place) => Pick::Ready(place),
                // While the lock was released, even the front may have been removed or begun to cool.
                None => state.pick(now, request, mode),
            };
        }
        let taken = self.take(&mut state, pick, now, request);
        self.reset_active(&state);
        drop(state);
        self.emit(effects);
        let (acquired, begun) = taken?;
        begun.into_iter().for_each(Ticket::start);
        Ok(acquired)
    }

    /// Whether any credential is ready for a request for this model.
    pub(crate) fn is_ready_for(&self, model: Option<&Arc<str>>) -> bool {
        self.state().ready(model).next().is_some()
    }

    fn candidates(&self, state: &State, request: &RequestView<'_>) -> Vec<Candidate> {
        let ready = state.ready(request.model).filter_map(|place| state.entry(place));
        let untried = ready.filter(|entry| !(request.tried)(&entry.credential().id));
        untried.map(|entry| Candidate::of(entry, &self.0.wall)).collect()
    }

    /// Whether the token of `credential` may be sent to `uri`. If the credential is not known (`None`), every
    /// credential of the pool must be allowed there. The token of a credential that the pool no longer holds may be
    /// sent nowhere.
    pub(crate) fn may_receive(&self, credential: Option<&CredentialId>, uri: &Uri) -> bool {
        let state = self.state();
        let Some(id) = credential else {
            return self.allows(uri) && state.entries().all(|entry| entry.access().base.is_none());
        };
        let Some(entry) = state.find(id.as_str()) else { return false };
        match entry.access().base.as_deref() {
            Some(base) => base.origin.matches(uri),
            None => self.allows(uri),
        }
    }
}

impl Pool {
    /// Leases the picked credential. The ticket is for a refresh that begins with it.
    fn take(
        &self,
        state: &mut State,
        pick: Pick,
        now: Instant,
        request: &RequestView<'_>,
    ) -> Result<(Acquired, Option<Ticket>), Error> {
        let Self(inner) = self;
        if state.is_closed() {
            return Err(inner.closed());
        }
        let none = |why| Ok((Acquired::None(why), None));
        let (place, probe) = match pick {
            Pick::Ready(place) => (place, None),
            Pick::Probe(place, probe) => (place, Some(probe)),
            Pick::Cooling(Some(recovery)) => return none(Unavailable::Cooling(recovery)),
            Pick::Cooling(None) => return none(Unavailable::Error(inner.none_left(state, request))),
            Pick::Unknown => return Err(inner.unknown(state, request)),
        };
        let Some(entry) = state.entry(place) else { return none(Unavailable::Error(inner.none_left(state, request))) };
        let access = entry.access().clone();
        let asks = inner.source.is_some() && entry.is_refreshable() && !(request.awaited)(&access.slot.id);
        let begun = match entry.refresh_need(now) {
            Need::Refresh { valid: false } if asks => {
                let (sender, done) = oneshot::channel();
                let begun = self.join_refresh(state, place, Some(sender))?;
                let awaited = (access.slot.id.clone(), access.generation);
                return Ok((Acquired::Refreshing { awaited, done }, begun));
            }
            // A token that is still good is used. If no refresh can begin now, a later request begins one.
            Need::Refresh { valid: true } if asks => self.join_refresh(state, place, None).unwrap_or_default(),
            _ => None,
        };
        if let Some(probe) = &probe {
            state.begin_probe(place, probe, now, fastrand::f64());
        } else if request.same.is_none() && inner.selection.moves_to_back() {
            state.move_to_back(place);
        }
        let lease = Lease::new(access, self.clone(), state.changes(), probe.map(|probe| Box::new((probe, now))));
        Ok((Acquired::Lease(lease), begun))
    }
}

impl Inner {
    fn unknown(&self, state: &State, request: &RequestView<'_>) -> Error {
        let mut known: Vec<_> = state.ids().map(ToString::to_string).collect();
        known.sort_unstable();
        known.truncate(20);
        let pin = request.pin.map(ToString::to_string).unwrap_or_default();
        let message = format!(
            "the request is pinned to the credential {pin:?}, which the pool of {:?} does not hold; it holds {known:?}",
            self.provider
        );
        Error::new(ErrorKind::UnknownCredential, message)
    }

    fn none_left(&self, state: &State, request: &RequestView<'_>) -> Error {
        let provider = &self.provider;
        if state.is_empty() {
            let message = format!(
                "the pool of {provider:?} holds no credential; add one with PoolBuilder::credential or Pool::add"
            );
            return Error::new(ErrorKind::NoCredential, message);
        }
        let wanted = |entry: &&PoolEntry| request.pin.is_none_or(|pin| *pin == entry.credential().id);
        if state.entries().filter(wanted).all(PoolEntry::is_out) {
            let out: Vec<_> =
                state.entries().filter(wanted).map(|entry| entry.credential().id.to_string()).take(20).collect();
            let whose =
                if request.pin.is_some() { "the credential that the request is pinned to" } else { "every credential" };
            let message = format!(
                "{whose} of {provider:?} is out until a person acts: {out:?}; log in again and hand the new tokens to Pool::update"
            );
            return Error::new(ErrorKind::LoginNeeded, message);
        }
        Error::new(
            ErrorKind::NoCredential,
            format!("every usable credential of {provider:?} was tried for this request"),
        )
    }
}
