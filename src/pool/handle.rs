//! The handle to a pool, and its shared parts.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering::{Acquire, Release};

use http::{HeaderName, Uri};

use super::prepared::{Access, Active, Lifetime, Slot};
use super::selection::Selection;
use super::state::{Effects, Moment, State};
use crate::clock::{self, WallClock};
use crate::config::Settings;
use crate::credentials::Credential;
use crate::credentials::Generation;
use crate::credentials::origin::Origin;
use crate::error::{Error, ErrorKind};
use crate::events::{Account, Event, EventStream, Notifiers};
use crate::pool::budget::Budget;
use crate::providers::model::Models;
use crate::store::DynStore;
use crate::sync::atomic::{AtomicBool, AtomicU64};
use crate::sync::{ArcSwap, AsyncMutex, Guard, Mutex, MutexGuard, Notify, lock, watch};
use crate::tokens::refresh::DynTokenSource;
use crate::verdict::OutReason;

/// The credentials of one provider. Clones share one pool.
///
/// ```
/// use oauth_marathon::{Credential, Pool, Secret, TokenSet};
///
/// # fn main() -> Result<(), oauth_marathon::Error> {
/// let pool = Pool::builder("openai")
///     .origin("https://api.example.com")
///     .credential(Credential::new("work", TokenSet::new("access")))
///     .credential(Credential::new("key", Secret::new("sk-1")).header("x-api-key"))
///     .build()?;
/// let ids: Vec<_> = pool.snapshot().credentials.into_iter().map(|credential| credential.id).collect();
/// assert_eq!(ids, ["work", "key"]);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Pool(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) provider: Arc<str>,
    pub(super) settings: Settings,
    pub(super) origins: Vec<Origin>,
    /// The active credential, published for the fast path.
    pub(super) active: Active,
    /// A copy of the state's count of changes, for reading without the lock.
    pub(super) changes: AtomicU64,
    /// Every header that a credential of this pool sets or has set, so that the injection removes them from requests.
    pub(super) header_names: ArcSwap<Vec<HeaderName>>,
    /// Whether `header_names` has any other than `Authorization`.
    pub(super) has_other_headers: AtomicBool,
    pub(super) state: Mutex<State>,
    pub(super) source: Option<Arc<dyn DynTokenSource>>,
    pub(super) store: Arc<dyn DynStore>,
    pub(super) selection: Selection,
    pub(super) events: Notifiers,
    /// Finds the model of a request, and knows whether any credential cools for a single model.
    pub(super) models: Models,
    pub(super) wall: Arc<dyn WallClock>,
    /// Whether the pool follows its store, so that it holds what the store holds.
    pub(super) follows: bool,
    /// How many refreshes are under way, and how many new tokens wait to be stored.
    pub(super) refreshing: watch::Sender<usize>,
    /// Whether the pool has been shut down, for the tasks that work for it.
    pub(super) closing: watch::Sender<bool>,
    /// Wakes the task that writes changes to the store.
    pub(super) outgoing: Arc<Notify>,
    /// Held while changes are written to the store: one writer at a time.
    pub(super) writing: AsyncMutex<()>,
    /// The budget for resends to a failing provider.
    pub(super) budget: Arc<Budget>,
    /// Wakes the task that watches for recoveries: one may come earlier than it expects.
    pub(super) rescheduled: Arc<Notify>,
}

impl Pool {
    /// The provider's id.
    #[must_use]
    pub fn provider(&self) -> &str {
        &self.0.provider
    }

    /// The settings that the pool was built with.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    /// The notifiers that get the pool's events. More can be added.
    #[must_use]
    pub fn notifiers(&self) -> &Notifiers {
        &self.0.events
    }

    /// Starts a stream of the pool's events from now on.
    #[must_use]
    pub fn events(&self) -> EventStream {
        self.0.events.subscribe()
    }

    /// The models of the pool, for the layer that keeps the requests: see [`RetryLayer::models`](crate::layers::retry::RetryLayer::models).
    #[must_use]
    pub fn models(&self) -> &Models {
        &self.0.models
    }

    /// The budget of all stacks over the pool for resends to a failing provider.
    pub(crate) fn budget(&self) -> &Arc<Budget> {
        &self.0.budget
    }

    /// Whether credentials may be sent to `uri`.
    #[inline]
    pub(crate) fn allows(&self, uri: &Uri) -> bool {
        self.0.origins.iter().any(|origin| origin.matches(uri))
    }

    pub(crate) fn origins(&self) -> &[Origin] {
        &self.0.origins
    }

    /// Whether any credential is or was sent in another header than `Authorization`. If not, the injection has no other
    /// header to remove.
    #[inline]
    pub(crate) fn has_other_headers(&self) -> bool {
        self.0.has_other_headers.load(Acquire)
    }

    #[inline]
    pub(crate) fn header_names(&self) -> Guard<Arc<Vec<HeaderName>>> {
        self.0.header_names.load()
    }

    pub(crate) fn wall(&self) -> &Arc<dyn WallClock> {
        &self.0.wall
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.0.state)
    }

    /// Releases the lock after a transition, and wakes the task that writes to the store if there is something to write.
    #[inline]
    pub(super) fn unlock(&self, state: MutexGuard<'_, State>) {
        let is_waiting = state.has_unsaved_changes();
        drop(state);
        if is_waiting {
            self.0.outgoing.notify_one();
        }
    }

    /// Publishes which credential is active, after a transition and before the lock is released.
    pub(super) fn reset_active(&self, state: &State) {
        self.0.changes.store(state.changes(), Release);
        self.0.models.set_wanted(state.has_model_cooldowns());
        self.0.active.set(state.active().filter(|_| self.0.selection.keeps_to_front()));
    }

    #[inline]
    pub(super) fn changes(&self) -> u64 {
        self.0.changes.load(Acquire)
    }

    pub(crate) fn emit(&self, effects: Effects) {
        if effects.is_empty() || !self.0.events.is_heard() {
            return;
        }
        for event in self.0.events_of(effects) {
            self.0.events.emit(|| event);
        }
    }
}

impl Inner {
    /// The time on both clocks. The wall clock may be foreign code, so it is read before the lock is taken.
    pub(super) fn moment(&self) -> Moment {
        Moment { wall: self.wall.now(), now: clock::now() }
    }

    /// Builds the headers of a credential. Only a token that can be refreshed gets the time of its refresh, so that
    /// requests with other credentials read no clock.
    pub(super) fn prepare(
        &self,
        credential: &Credential,
        slot: Arc<Slot>,
        generation: Generation,
        Moment { wall, now }: Moment,
    ) -> Result<Access, Error> {
        let refreshable = self.source.is_some() && credential.material.refresh_token().is_some();
        let expiry = credential.material.tokens().and_then(|tokens| tokens.expiry()).filter(|_| refreshable);
        let margin = self.settings.refresh_margin;
        let lifetime = Lifetime::of(expiry, margin, fastrand::f64(), wall, now);
        let access = Access::prepare(credential, slot, generation, lifetime)?;
        self.learn_headers(&access);
        Ok(access)
    }

    fn learn_headers(&self, access: &Access) {
        let known = self.header_names.load();
        if access.header_names().all(|name| known.contains(name)) {
            return;
        }
        self.has_other_headers.store(true, Release);
        self.header_names.rcu(|known| {
            let mut names = Vec::clone(known);
            names.extend(access.header_names().filter(|name| !known.contains(name)).cloned());
            names
        });
    }

    pub(super) fn closed(&self) -> Error {
        Error::new(ErrorKind::Closed, format!("the pool of {:?} has been shut down", self.provider))
    }

    pub(super) fn events_of(&self, effects: Effects) -> impl Iterator<Item = Event> {
        let provider = &self.provider;
        let Effects { recovered, cooled, out, ran_dry, model } = effects;
        let of_dry = model.clone();
        let recovered = recovered.into_iter().map(|(slot, model)| Event::Recovered {
            provider: provider.clone(),
            credential: account(&slot),
            model,
        });
        let cooled = cooled.map(|(slot, kind, cooldown)| Event::CoolingDown {
            provider: provider.clone(),
            credential: account(&slot),
            kind,
            cooldown,
            model,
        });
        let out = out.map(|(slot, reason)| self.out_event(&slot, reason));
        let dry =
            ran_dry.map(|retry_after| Event::Exhausted { provider: provider.clone(), retry_after, model: of_dry });
        recovered.chain(cooled).chain(out).chain(dry)
    }

    pub(super) fn out_event(&self, slot: &Slot, reason: OutReason) -> Event {
        Event::Out { provider: self.provider.clone(), credential: account(slot), reason }
    }
}

pub(super) fn account(slot: &Slot) -> Account {
    Account { id: slot.id.clone(), label: slot.label() }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("provider", &self.0.provider)
            .field("origins", &self.0.origins)
            .field("credentials", &self.snapshot().credentials)
            .finish_non_exhaustive()
    }
}
