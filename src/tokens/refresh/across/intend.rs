//! The step before the exchange: reads the store, and notes in it that the refresh begins.

use std::time::{Duration, Instant, SystemTime};

use super::plan::{Held, RefreshPlan, plan};
use super::save::{STORE_LIMIT, STORE_TRIES, limited};
use super::{Ended, Refresh, RefreshFailure, RefreshNews, Times};
use crate::clock;
use crate::error::BoxError;
use crate::store::{CasOutcome, Entry, Intent, Record};
use crate::tokens::refresh::RefreshError;

/// The outcome of the step before the exchange.
pub(super) enum Intended {
    /// The refresh has begun, and the record holds its intent.
    Begun {
        entry: Entry,
        /// Whether an earlier refresh may have been cut short.
        interrupted: bool,
        /// The time that is left for the exchange.
        left: Duration,
    },
    /// No exchange is needed: the refresh has ended.
    Settled(Ended),
}

impl Refresh<'_> {
    /// Reads the store, and writes the intent there. Without a stored intent the refresh does not begin.
    pub(super) async fn intend(
        &self,
        held: &mut Held,
        told: &mut (dyn FnMut(RefreshNews<'_>) + Send),
    ) -> Result<Intended, RefreshFailure> {
        let mut found = self.load().await?;
        let mut waited = Waited::new(clock::now());
        // The intent that this refresh has noted, and whether an earlier refresh has no known end.
        let (mut noted, mut interrupted): (Option<Intent>, bool) = (None, false);
        let mut tries = 0;
        while tries < STORE_TRIES {
            if let Some(found) = &found {
                held.has_held(&found.record);
                told(RefreshNews::Stored(&found.record));
            }
            let now = self.wall.now();
            let (mut base, is_begun) = match plan(held, found.as_ref().map(|found| &found.record), now) {
                RefreshPlan::Exchange { base, interrupted } => (base, interrupted),
                RefreshPlan::Adopt(record) => return Ok(Intended::Settled(Ended::Adopted(record))),
                RefreshPlan::Removed => return Ok(Intended::Settled(Ended::Removed)),
                RefreshPlan::Out(reason) => {
                    let error = RefreshError::login_needed("the refresh token is known to be refused");
                    return Err(RefreshFailure::needs_login(reason, error));
                }
            };
            let earlier = found.as_ref().and_then(|found| found.record.intent.clone());
            let earlier = earlier.filter(|intent| is_begun && noted.as_ref() != Some(intent));
            base.intent = Some(Intent::new(base.generation, now));
            // An earlier intent of this process is over, because the process runs one refresh of a credential at a
            // time.
            let theirs = earlier.as_ref().filter(|intent| held.begun.as_ref() != Some(*intent));
            if let (Some(intent), Some(entry)) = (theirs, &found) {
                match waited.step(intent, self.times, now, clock::now()) {
                    Step::Go => {}
                    Step::Wait(pause) => {
                        told(RefreshNews::UnderWay(intent));
                        crate::sync::time::sleep(pause).await;
                        found = self.load().await?;
                        continue;
                    }
                    Step::Date => {
                        found = self.date(entry, now).await?;
                        tries += 1;
                        continue;
                    }
                    Step::Leave(left) => return Err(busy(left)),
                }
            }
            let revision = found.map(|found| found.revision);
            match self.note(revision, base).await? {
                CasOutcome::Stored(entry) => {
                    held.has_held(&entry.record);
                    told(RefreshNews::Stored(&entry.record));
                    if let Some(intent) = &earlier {
                        told(RefreshNews::Interrupted(intent));
                        interrupted = true;
                    }
                    noted = entry.record.intent.clone();
                    if let Some(intent) = &noted {
                        told(RefreshNews::Begun(intent));
                    }
                    if let Some(left) = self.times.left(now, self.wall.now()) {
                        return Ok(Intended::Begun { entry, interrupted, left });
                    }
                    // This process has stood still meanwhile, so another process could take the intent for an old one
                    // before the exchange ends. The intent is written again.
                    found = Some(entry);
                }
                CasOutcome::Conflict(other) => found = other,
                CasOutcome::Removed => found = None,
            }
            tries += 1;
        }
        Err(RefreshError::transient("the refresh was not begun, as its stored record changes all the time").into())
    }

    async fn load(&self) -> Result<Option<Entry>, RefreshFailure> {
        let unreadable = |source: BoxError| {
            let message = format!("the token store could not be read: {source}");
            RefreshError::transient(message).with_source(source)
        };
        Ok(limited(STORE_LIMIT, self.store.load(self.key)).await.map_err(unreadable)?)
    }

    /// Stores the record with the intent.
    async fn note(&self, revision: Option<crate::store::Revision>, next: Record) -> Result<CasOutcome, RefreshFailure> {
        let unwritable = |source: BoxError| {
            let message = format!("the refresh was not begun, as the token store could not be written: {source}");
            RefreshError::transient(message).with_source(source)
        };
        let noted = limited(STORE_LIMIT, self.store.compare_and_set(self.key, revision, Some(next))).await;
        Ok(noted.map_err(unwritable)?)
    }

    /// Gives an intent that lies in the future the present time, so that it can grow old. A clock must have been set
    /// back.
    async fn date(&self, found: &Entry, now: SystemTime) -> Result<Option<Entry>, RefreshFailure> {
        let mut next = found.record.clone();
        next.intent = next.intent.map(|intent| Intent { began: now, ..intent });
        Ok(match self.note(Some(found.revision), next).await? {
            CasOutcome::Stored(entry) => Some(entry),
            CasOutcome::Conflict(other) => other,
            CasOutcome::Removed => None,
        })
    }
}

fn busy(left: Duration) -> RefreshFailure {
    let message = "another process has begun to refresh it, and may not have ended";
    let error = RefreshError::transient(message).with_retry_after(left);
    RefreshFailure { busy: true, ..RefreshFailure::from(error) }
}

/// What to do about an exchange that another process has begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// The exchange must be over, so this refresh goes on.
    Go,
    /// The exchange may be under way: the store is read again after this time.
    Wait(Duration),
    /// The intent lies in the future, and gets the present time.
    Date,
    /// The exchange may be under way for longer than this refresh waits: the refresh fails, and none is begun for this
    /// time.
    Leave(Duration),
}

/// How long this refresh has waited for an exchange of another process.
struct Waited {
    began: Instant,
    /// The intent that it has waited for, and since when on the monotonic clock, so that a jump of the wall clock
    /// cannot make the wait longer than an exchange may take.
    of: Option<(Intent, Instant)>,
}

impl Waited {
    fn new(now: Instant) -> Self {
        Self { began: now, of: None }
    }

    fn step(&mut self, intent: &Intent, times: Times, wall: SystemTime, now: Instant) -> Step {
        let Ok(age) = wall.duration_since(intent.began) else { return Step::Date };
        let since = match &self.of {
            Some((known, since)) if known == intent => *since,
            _ => self.of.insert((intent.clone(), now)).1,
        };
        let left = times.longest().saturating_sub(age.max(now.saturating_duration_since(since)));
        if intent.ended || left.is_zero() {
            return Step::Go;
        }
        let patience = times.patience.saturating_sub(now.saturating_duration_since(self.began));
        if patience.is_zero() {
            return Step::Leave(left);
        }
        let pause = (times.exchange / 32).clamp(Duration::from_millis(10), Duration::from_secs(1));
        Step::Wait(pause.min(left).min(patience))
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;
    use crate::credentials::Generation;

    const EXCHANGE: Duration = Duration::from_secs(32);
    const LONGEST: Duration = Duration::from_secs(36);
    const FOREVER: Times = Times { exchange: EXCHANGE, patience: Duration::from_secs(86_400) };

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_000 + seconds)
    }

    fn begun(seconds: u64) -> Intent {
        Intent::new(Generation::new(1), at(seconds))
    }

    #[test]
    fn an_exchange_of_others_is_waited_for_until_it_cannot_be_under_way() {
        let start = clock::now();
        let step = |age: u64| Waited::new(start).step(&begun(0), FOREVER, at(age), start);
        assert_eq!([step(0), step(34)], [Step::Wait(Duration::from_secs(1)); 2]);
        assert_eq!(step(36), Step::Go);
        assert_eq!(step(100_000), Step::Go);
        let ended = Intent { ended: true, ..begun(0) };
        assert_eq!(Waited::new(start).step(&ended, FOREVER, at(0), start), Step::Go);
    }

    #[test]
    fn no_jump_of_the_clock_makes_it_longer() {
        let start = clock::now();
        let mut waited = Waited::new(start);
        let mut step =
            |wall: u64, now: u64| waited.step(&begun(0), FOREVER, at(wall), start + Duration::from_secs(now));
        // The clock stands still.
        assert_eq!(step(0, 35), Step::Wait(Duration::from_secs(1)));
        assert_eq!(step(0, 36 + 35), Step::Go);
        assert_eq!(Waited::new(start).step(&begun(1), FOREVER, at(0), start), Step::Date);
        // Another exchange that begins meanwhile is waited for as long again.
        assert!(matches!(waited.step(&begun(2), FOREVER, at(2), start + LONGEST * 2), Step::Wait(_)));
    }

    #[test]
    fn patience_ends_before() {
        let start = clock::now();
        let mut waited = Waited::new(start);
        let patience = Duration::from_millis(1500);
        let mut step = |millis: u64| {
            let gone = Duration::from_millis(millis);
            waited.step(&begun(0), Times { patience, ..FOREVER }, at(0) + gone, start + gone)
        };
        assert_eq!(step(0), Step::Wait(Duration::from_secs(1)));
        assert_eq!(step(1000), Step::Wait(Duration::from_millis(500)));
        assert_eq!(step(1500), Step::Leave(LONGEST - patience));
    }
}
