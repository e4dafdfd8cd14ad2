//! Leases a credential for an attempt, and settles the attempt: the edge around the pure transitions.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use http::{HeaderMap, StatusCode, Uri};

use super::handle::{Inner, Pool, account};
use super::lease::Lease;
use super::refresh::Ticket;
use super::state::ask::Ask;
use super::state::last_answer::Remembered;
use super::state::pick::Pick;
use super::state::probe::ProbeTarget;
use super::state::refresh_state::{Need, RefreshOutcome};
use super::state::settle::{Outcome, Request, Settled};
use super::state::{Entry, State};
use super::strategy::{Candidate, Choice};
use crate::clock;
use crate::config::StrategyName;
use crate::context::{Next, Suspect};
use crate::credentials::CredentialId;
use crate::credentials::Generation;
use crate::error::{Error, ErrorKind};
use crate::events::{Account, Event};
use crate::providers::quota::{Quota, Window, WindowScope};
use crate::sync::oneshot;
use crate::verdict::{Scope, Verdict};

/// The shortest window of a quota. A shorter one belongs to a throttle.
const LONG_WINDOW: Duration = Duration::from_secs(60 * 60);

/// The result of [`Pool::acquire`].
#[derive(Debug)]
pub(crate) enum Acquired {
    Lease(Lease),
    /// The token of this credential and generation is being refreshed. Acquire again when that is done.
    Refreshing {
        awaited: (CredentialId, Generation),
        done: oneshot::Receiver<RefreshOutcome>,
    },
    None(Unavailable),
}

/// Why there is no credential to lease.
#[derive(Debug)]
pub(crate) enum Unavailable {
    /// Every credential that could serve cools; the first one recovers after this time.
    Cooling(Duration),
    /// There is none, or none that recovers by itself.
    Error(Error),
}

impl Pool {
    /// Leases the active credential, if there is one whose token needs no refresh first.
    ///
    /// This is what a request does first. It takes no lock, and reads the clock only for a token that expires.
    #[inline]
    #[must_use]
    pub fn try_lease(&self) -> Option<Lease> {
        let access = self.0.active.find_fresh()?;
        Some(Lease::new(access, self.clone(), self.changes(), None))
    }

    /// The active credential: the front of the order, which the next request begins with if neither a pin, nor a limit of its
    /// model, nor a [`Strategy`](super::Strategy) of yours says otherwise. `None` while none is ready.
    ///
    /// It takes no lock while that credential's token is fresh, so a status page may ask as often as it likes. A
    /// [`snapshot`](Pool::snapshot) says more and costs more.
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

    /// The front of the order, or the credential that joins it next where its cooldown is over.
    #[cold]
    fn front(&self, now: Instant) -> Option<CredentialId> {
        let state = self.state();
        let recovered = || state.first_recovery(None).filter(|(until, _)| *until <= now).map(|(_, place)| place);
        let place = state.ready(None).next().or_else(recovered)?;
        state.entry(place).map(|entry| entry.credential.id.clone())
    }

    /// Leases a credential by all the rules. One whose token is about to expire is refreshed meanwhile.
    pub(crate) fn acquire(&self, ask: &Ask<'_>, choice: &Choice<'_>) -> Result<Acquired, Error> {
        let now = clock::now();
        let mut state = self.state();
        let effects = state.join(now);
        let mut pick = state.pick(now, ask);
        if let (Pick::Ready(_), Some(strategy)) = (&pick, &self.0.strategy)
            && ask.pin.is_none()
            && ask.same.is_none()
        {
            let candidates = self.candidates(&state, ask);
            drop(state);
            // Foreign code runs outside of the lock, and its panic costs only its choice.
            let chosen = catch_unwind(AssertUnwindSafe(|| strategy.select(choice, &candidates))).ok().flatten();
            state = self.state();
            let chosen =
                chosen.and_then(|at| candidates.get(at)).and_then(|candidate| state.place_of(candidate.id.as_str()));
            pick = match chosen.filter(|place| state.is_ready(*place, ask.model)) {
                Some(place) => Pick::Ready(place),
                // While the lock was released, even the front may have gone or begun to cool.
                None => state.pick(now, ask),
            };
        }
        let taken = self.take(&mut state, pick, now, ask);
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

    fn candidates(&self, state: &State, ask: &Ask<'_>) -> Vec<Candidate> {
        let ready = state.ready(ask.model).filter_map(|place| state.entry(place));
        let untried = ready.filter(|entry| !(ask.tried)(&entry.credential.id));
        untried.map(|entry| Candidate::of(entry, &self.0.wall)).collect()
    }

    /// Settles an attempt that succeeded.
    #[inline]
    pub(crate) fn succeeded(&self, lease: &Lease, status: StatusCode, model: impl FnOnce() -> Option<Arc<str>>) {
        let slot = &lease.access().slot;
        slot.successes.fetch_add(1, Relaxed);
        slot.last_status.store(status.as_u16(), Relaxed);
        if slot.troubled.load(Relaxed) {
            self.end_cooldowns(lease, model());
        }
    }

    #[cold]
    fn end_cooldowns(&self, lease: &Lease, model: Option<Arc<str>>) {
        let effects = self.change(|state| state.end_cooldowns(lease.bearing(model.as_deref())));
        self.emit(effects);
    }

    /// Applies what the header fields of an answer over `lease` say about quotas; `model` is the model of its request. Called
    /// only while the credential may be cooling: only then is there a cooldown to end or a probe to postpone.
    pub(crate) fn quota_seen(&self, lease: &Lease, headers: &HeaderMap, model: Option<&str>) {
        self.weigh(lease, &Quota::read(headers, self.0.wall.now()), model);
    }

    /// Applies what an event inside of an answer over `lease` says about quotas. Such an event names no model of a request.
    pub(crate) fn event_seen(&self, lease: &Lease, event: &[u8]) {
        if let Some(quota) = Quota::read_event(event, self.0.wall.now()) {
            self.weigh(lease, &quota, None);
        }
    }

    /// Applies the windows of a quota. Only those of an hour and more say something about a used-up quota.
    fn weigh(&self, lease: &Lease, quota: &Quota, model: Option<&str>) {
        for (scope, limits) in [(Scope::Credential, WindowScope::Credential), (Scope::Model, WindowScope::Model)] {
            let is_long = |window: &&Window| window.length.is_some_and(|length| length >= LONG_WINDOW);
            let mut windows = quota.windows().iter().filter(|window| window.scope == limits).filter(is_long).peekable();
            if windows.peek().is_some() {
                let has_room = windows.all(|window| !window.exhausted);
                let (now, jitter) = (clock::now(), fastrand::f64());
                let effects = self.change(|state| state.quota_seen(lease.bearing(model), scope, has_room, now, jitter));
                self.emit(effects);
            }
        }
    }

    /// Settles an attempt that did not succeed. The caller [emits](Pool::emit) the effects, when it holds no lock.
    pub(crate) fn settle(&self, outcome: &Outcome<'_>) -> Settled {
        let mut state = self.state();
        let settled = state.settle(&self.0.settings, self.0.source.is_some(), clock::now(), outcome);
        self.reset_active(&state);
        self.unlock(state);
        if settled.effects.cooled.is_some() {
            self.watch_recovery();
        }
        settled
    }

    /// What comes next for a request whose attempt ended before anything was sent.
    pub(crate) fn availability(&self, request: &Request<'_>) -> Next {
        let now = clock::now();
        self.change(|state| state.availability(request, now))
    }

    /// Cools a suspect, because another credential was not refused.
    pub(crate) fn convict(&self, suspect: &Suspect) {
        let cooldown = self.0.settings.auth_failure_cooldown.min(self.0.settings.max_cooldown);
        let mut state = self.state();
        let effects = state.convict(cooldown, suspect, clock::now());
        self.reset_active(&state);
        self.unlock(state);
        self.emit(effects);
    }

    /// Keeps the failed answer to a request for this model after which no credential was ready.
    pub(crate) fn remember(&self, answer: Remembered, model: Option<&Arc<str>>) {
        self.state().remember(Arc::new(answer), model);
    }

    pub(crate) fn remembered(&self, model: Option<&Arc<str>>) -> Option<Arc<Remembered>> {
        self.state().remembered(model)
    }

    pub(super) fn probe_ended(&self, probe: &ProbeTarget, since: Instant) {
        self.state().end_probe(probe, since);
    }

    /// Tells people that a request goes on with another credential.
    pub(crate) fn failed_over(&self, from: &CredentialId, to: &Lease, verdict: &Verdict) {
        self.0.events.emit(|| {
            let state = self.state();
            let known = state
                .place_of(from.as_str())
                .and_then(|place| state.entry(place))
                .map(|entry| account(&entry.access.slot));
            drop(state);
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

    /// Whether the token of `credential` may be sent to `uri`. A token of an unknown credential may go only where every
    /// credential of the pool may. The token of a credential that the pool does not hold any more goes nowhere.
    pub(crate) fn may_receive(&self, credential: Option<&CredentialId>, uri: &Uri) -> bool {
        let state = self.state();
        let Some(id) = credential else {
            return self.allows(uri) && state.entries().all(|entry| entry.access.base.is_none());
        };
        let Some(entry) = state.place_of(id.as_str()).and_then(|place| state.entry(place)) else { return false };
        match entry.access.base.as_deref() {
            Some(base) => base.origin.matches(uri),
            None => self.allows(uri),
        }
    }
}

impl Pool {
    /// Leases what was picked. The ticket is a refresh that begins with it.
    fn take(
        &self,
        state: &mut State,
        pick: Pick,
        now: Instant,
        ask: &Ask<'_>,
    ) -> Result<(Acquired, Option<Ticket>), Error> {
        let Self(inner) = self;
        if state.closed {
            return Err(inner.closed());
        }
        let none = |why| Ok((Acquired::None(why), None));
        let (place, probe) = match pick {
            Pick::Ready(place) => (place, None),
            Pick::Probe(place, probe) => (place, Some(probe)),
            Pick::Cooling(Some(recovery)) => return none(Unavailable::Cooling(recovery)),
            Pick::Cooling(None) => return none(Unavailable::Error(inner.none_left(state, ask))),
            Pick::Unknown => return Err(inner.unknown(state, ask)),
        };
        let Some(entry) = state.entry(place) else { return none(Unavailable::Error(inner.none_left(state, ask))) };
        let access = entry.access.clone();
        let refreshable = inner.source.is_some() && entry.credential.material.refresh_token().is_some();
        let asks = refreshable && !(ask.awaited)(&access.slot.id);
        let begun = match entry.refreshing.need(&access, now) {
            Need::Refresh { valid: false } if asks => {
                let (sender, done) = oneshot::channel();
                let begun = self.join_refresh(state, place, Some(sender))?;
                let awaited = (access.slot.id.clone(), access.generation);
                return Ok((Acquired::Refreshing { awaited, done }, begun));
            }
            // A token that is good is used. If no refresh can begin now, a later request begins one.
            Need::Refresh { valid: true } if asks => self.join_refresh(state, place, None).unwrap_or_default(),
            _ => None,
        };
        if let Some(probe) = &probe {
            state.begin_probe(place, probe, now, fastrand::f64());
        } else if inner.strategy.is_none() && inner.settings.strategy == StrategyName::RoundRobin && ask.same.is_none()
        {
            state.rotation.to_back(place);
        }
        let lease = Lease::new(access, self.clone(), state.changes, probe.map(|probe| Box::new((probe, now))));
        Ok((Acquired::Lease(lease), begun))
    }
}

impl Inner {
    pub(super) fn closed(&self) -> Error {
        Error::new(ErrorKind::Closed, format!("the pool of {:?} has been shut down", self.provider))
    }

    fn unknown(&self, state: &State, ask: &Ask<'_>) -> Error {
        let mut known: Vec<_> = state.ids().map(ToString::to_string).collect();
        known.sort_unstable();
        known.truncate(20);
        let pin = ask.pin.map(ToString::to_string).unwrap_or_default();
        let message = format!(
            "the request is pinned to the credential {pin:?}, which the pool of {:?} does not hold; it holds {known:?}",
            self.provider
        );
        Error::new(ErrorKind::UnknownCredential, message)
    }

    fn none_left(&self, state: &State, ask: &Ask<'_>) -> Error {
        let provider = &self.provider;
        if state.len() == 0 {
            let message = format!(
                "the pool of {provider:?} holds no credential; add one with PoolBuilder::credential or Pool::add"
            );
            return Error::new(ErrorKind::NoCredential, message);
        }
        let wanted = |entry: &&Entry| ask.pin.is_none_or(|pin| *pin == entry.credential.id);
        if state.entries().filter(wanted).all(|entry| entry.out.is_some()) {
            let out: Vec<_> =
                state.entries().filter(wanted).map(|entry| entry.credential.id.to_string()).take(20).collect();
            let whose =
                if ask.pin.is_some() { "the credential that the request is pinned to" } else { "every credential" };
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
