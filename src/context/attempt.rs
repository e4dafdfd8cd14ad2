//! The attempts of one call, and what the layers tell each other about them.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use super::RequestContext;
use crate::credentials::{CredentialId, Generation};
use crate::error::TimedOut;
use crate::verdict::{Kind, Lost, Verdict};

/// One sending of the request, with one credential.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Attempt {
    /// Counts the attempts of the call, from 1.
    pub number: u32,
    /// Counts the rounds over the credentials, from 1; each finished wait opens a new one.
    pub round: u32,
    /// The credential that was used, if any was.
    pub credential: Option<CredentialId>,
    /// The generation of the credential's token.
    pub generation: Option<Generation>,
    /// The verdict on what came back; `None` while it is under way, or if the caller went away.
    pub verdict: Option<Verdict>,
    /// What could come next, as the pool sees it.
    pub next: Option<Next>,
    /// The time limit that cut the attempt short, if one did: before its answer began, or in the answer's body.
    pub timed_out: Option<TimedOut>,
}

impl Attempt {
    /// An attempt with these two numbers and nothing else known. A stack makes attempts itself; make one to test code
    /// that reads the attempts of a request.
    ///
    /// ```
    /// use oauth_marathon::context::Attempt;
    /// use oauth_marathon::verdict::{Kind, Verdict};
    ///
    /// let mut attempt = Attempt::new(1, 1);
    /// attempt.credential = Some("work".into());
    /// attempt.verdict = Some(Verdict::new(Kind::Throttled));
    /// # let _ = attempt;
    /// ```
    #[must_use]
    pub const fn new(number: u32, round: u32) -> Self {
        Self { number, round, credential: None, generation: None, verdict: None, next: None, timed_out: None }
    }
}

/// What could follow an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Next {
    /// The same credential, whose token is being refreshed.
    Same,
    /// Another credential is ready.
    Now,
    /// A credential is expected to be ready at this time.
    At(Instant),
    /// No other credential can help this request.
    Never,
}

/// Which credential the next attempt uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Plan {
    #[default]
    Next,
    Same,
}

/// A credential that was refused with 403. It cools only if another credential is then not refused for the same
/// request.
#[derive(Debug, Clone)]
pub(crate) struct Suspect {
    pub(crate) credential: CredentialId,
    pub(crate) generation: Generation,
    pub(crate) verdict: Verdict,
}

/// A failed attempt that concerns one model, kept until the layer that keeps the request names the model. Dropping it
/// settles it without a name.
pub(crate) trait Unsettled: fmt::Debug + Send {
    /// Settles the attempt with the model that the context names by now, or without one.
    fn settle(self: Box<Self>, context: &RequestContext);
}

/// The state of one call, which the layers write and read in turn.
#[derive(Debug, Default)]
pub(crate) struct Call {
    /// The first two attempts. Most calls need no more, so they cost no allocation.
    first: [Option<Attempt>; 2],
    rest: Vec<Attempt>,
    len: usize,
    /// The number of attempts in earlier rounds.
    earlier: usize,
    earlier_rounds: u32,
    /// The credentials of this round, from the third attempt of the call on.
    used: Option<Arc<HashSet<CredentialId>>>,
    pub(crate) plan: Plan,
    /// Whether the credential that comes next was last answered with a success.
    pub(crate) next_serves: bool,
    /// The request ends because it may use no other credential, and others are ready.
    pub(crate) cut_short: bool,
    /// The model of the request, as the layer that keeps it found it.
    pub(crate) model: Option<Arc<str>>,
    /// The last attempt, while it cannot be settled because the model's name is unknown.
    pub(crate) unsettled: Option<Box<dyn Unsettled>>,
    pub(crate) suspect: Option<Suspect>,
    /// The whole body of the last failed answer, if it was read to its end.
    pub(crate) failed_body: Option<Bytes>,
    latest: Option<RequestContext>,
}

impl Attempt {
    fn is_of(&self, is: impl FnOnce(&Verdict) -> bool) -> bool {
        self.verdict.as_ref().is_some_and(is)
    }

    /// Whether it was sent, and the connection failed.
    fn failed_on_the_way(&self) -> bool {
        self.is_of(|verdict| verdict.kind() == Kind::Network) && !self.was_lost(Lost::Unsent)
    }

    fn was_lost(&self, how: Lost) -> bool {
        self.is_of(|verdict| verdict.lost() == Some(how))
    }
}

/// The credentials that a round has used, as a copy for use outside of the lock. A few cost no allocation.
#[derive(Debug, Clone)]
pub(crate) enum Used {
    Few([Option<CredentialId>; 2]),
    Many(Arc<HashSet<CredentialId>>),
}

impl Default for Used {
    fn default() -> Self {
        Self::Few([None, None])
    }
}

impl Used {
    pub(crate) fn contains(&self, id: &CredentialId) -> bool {
        match self {
            Self::Few(few) => few.iter().flatten().any(|used| used == id),
            Self::Many(many) => many.contains(id),
        }
    }

    /// The number of credentials.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Few([Some(one), Some(other)]) if one == other => 1,
            Self::Few(few) => few.iter().flatten().count(),
            Self::Many(many) => many.len(),
        }
    }
}

impl Call {
    pub(crate) fn attempts(&self) -> impl DoubleEndedIterator<Item = &Attempt> {
        self.first.iter().flatten().chain(&self.rest)
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    #[inline]
    pub(crate) fn last(&self) -> Option<&Attempt> {
        match self.len.checked_sub(1)? {
            at @ 0..2 => self.first.get(at)?.as_ref(),
            _ => self.rest.last(),
        }
    }

    #[inline]
    pub(crate) fn last_mut(&mut self) -> Option<&mut Attempt> {
        match self.len.checked_sub(1)? {
            at @ 0..2 => self.first.get_mut(at)?.as_mut(),
            _ => self.rest.last_mut(),
        }
    }

    /// The attempts since the last wait.
    pub(crate) fn round(&self) -> impl DoubleEndedIterator<Item = &Attempt> {
        let first = self.first.get(self.earlier..).unwrap_or_default();
        let rest = self.rest.get(self.earlier.saturating_sub(self.first.len())..).unwrap_or_default();
        first.iter().flatten().chain(rest)
    }

    pub(crate) fn round_number(&self) -> u32 {
        self.earlier_rounds.saturating_add(1)
    }

    /// Opens a new round, after a wait: all credentials may be tried again.
    pub(crate) fn open_round(&mut self) {
        self.earlier_rounds = self.earlier_rounds.saturating_add(1);
        self.earlier = self.len;
        self.used = None;
        self.plan = Plan::Next;
        self.suspect = None;
    }

    /// Begins an attempt.
    #[inline]
    pub(crate) fn begin(&mut self, credential: Option<(CredentialId, Generation)>) {
        self.failed_body = None;
        let (credential, generation) = credential.unzip();
        self.len += 1;
        let number = u32::try_from(self.len).unwrap_or(u32::MAX);
        let round = self.round_number();
        let attempt = Attempt { number, round, credential, generation, verdict: None, next: None, timed_out: None };
        match self.first.get_mut(self.len - 1) {
            Some(place) => *place = Some(attempt),
            None => {
                self.rest.push(attempt);
                self.note_used();
            }
        }
    }

    #[cold]
    fn note_used(&mut self) {
        let known = self.used.take();
        // The credentials of the first attempts of the round are added with the third.
        let news: Vec<_> = match known {
            Some(_) => self.last().into_iter().filter_map(|attempt| attempt.credential.clone()).collect(),
            None => self.round().filter_map(|attempt| attempt.credential.clone()).collect(),
        };
        let mut used = known.unwrap_or_default();
        // No copy exists while an attempt begins, so this changes the set in place.
        Arc::make_mut(&mut used).extend(news);
        self.used = Some(used);
    }

    /// The credentials that this round has used.
    pub(crate) fn used(&self) -> Used {
        match &self.used {
            Some(used) => Used::Many(used.clone()),
            None => {
                let mut few = [None, None];
                for (place, attempt) in few.iter_mut().zip(self.round()) {
                    place.clone_from(&attempt.credential);
                }
                Used::Few(few)
            }
        }
    }

    /// Opens an attempt that first waits for its token, and returns its number.
    pub(crate) fn open(&mut self, awaited: (CredentialId, Generation)) -> u32 {
        self.begin(Some(awaited));
        self.last().map_or(0, |attempt| attempt.number)
    }

    /// Takes back an attempt that was opened. False if it has a verdict by now: then it stays.
    pub(crate) fn withdraw(&mut self, number: u32) -> bool {
        let is_open = self.last().is_some_and(|attempt| attempt.number == number && attempt.verdict.is_none());
        if is_open {
            self.len -= 1;
            match self.first.get_mut(self.len) {
                Some(place) => *place = None,
                None => self.rest.truncate(self.len - self.first.len()),
            }
            self.used = None;
            if !self.rest.is_empty() {
                self.note_used();
            }
        }
        is_open
    }

    /// Notes the verdict on the last attempt. Begins the attempt if no layer has done so.
    #[inline]
    pub(crate) fn judge(&mut self, verdict: Verdict) {
        if self.last().is_none_or(|attempt| attempt.verdict.is_some()) {
            self.begin(None);
        }
        if let Some(attempt) = self.last_mut() {
            attempt.verdict = Some(verdict);
        }
    }

    /// Notes that a time limit cut the last attempt short.
    #[cold]
    pub(crate) fn time_out(&mut self, timed_out: TimedOut) {
        if let Some(attempt) = self.last_mut() {
            attempt.timed_out = Some(timed_out);
        }
    }

    /// The number of the first attempt whose connection broke before an answer. The attempt after it is free, and does
    /// not count.
    pub(crate) fn first_break(&self) -> Option<u32> {
        self.attempts().find(|attempt| attempt.was_lost(Lost::BeforeAnswer)).map(|attempt| attempt.number)
    }

    /// Whether the last attempt's credential, whose connection failed, gets no further attempt: it had one more than `retries`,
    /// or the attempt timed out.
    pub(crate) fn has_spent_network_resends(&self, retries: usize) -> bool {
        let Some(last) = self.last() else { return true };
        let first_break = self.first_break();
        let counts = |attempt: &&Attempt| {
            attempt.credential == last.credential && attempt.failed_on_the_way() && Some(attempt.number) != first_break
        };
        retries == 0 || last.was_lost(Lost::TimedOut) || self.round().filter(counts).count() > retries
    }

    /// The number of pauses that the request has made after failed connections.
    pub(crate) fn network_pauses(&self) -> usize {
        let first_break = self.first_break();
        let pauses = |attempt: &&Attempt| {
            attempt.failed_on_the_way() && !attempt.was_lost(Lost::TimedOut) && Some(attempt.number) != first_break
        };
        self.attempts().filter(pauses).count().saturating_sub(1)
    }

    /// Whether the request has failed over to another credential because the provider or the network failed.
    pub(crate) fn has_stepped(&self) -> bool {
        let fails = |attempt: &Attempt| attempt.is_of(Verdict::is_server_error) || attempt.failed_on_the_way();
        let steps = |(one, next): (&Attempt, &Attempt)| fails(one) && one.credential != next.credential;
        self.attempts().zip(self.attempts().skip(1)).any(steps)
    }

    /// Whether the request was sent again after the provider failed.
    pub(crate) fn was_resent_after_server_error(&self) -> bool {
        let mut earlier = self.attempts().take(self.len.saturating_sub(1));
        earlier.any(|attempt| attempt.is_of(|verdict| verdict.is_server_error()))
    }

    pub(super) fn latest(&self) -> Option<&RequestContext> {
        self.latest.as_ref()
    }

    pub(super) fn set_latest(&mut self, call: RequestContext) {
        self.latest = Some(call);
    }
}
