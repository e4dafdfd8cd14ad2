//! Asks the classifiers in turn: the user's, the provider's rules, the standard one.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use http::response::Parts;

use crate::clock::WallClock;
use crate::providers::failures::ProviderRules;
use crate::sync::shielded;
use crate::verdict::{Answer, Classifier, Kind, StandardClassifier, Verdict};

#[derive(Clone)]
pub(crate) struct Judge {
    /// The user's classifiers, asked first.
    pub(super) classifiers: Vec<Arc<dyn Classifier>>,
    /// The rules of the provider, asked next, and only about failed answers.
    pub(super) rules: Option<ProviderRules>,
    pub(super) standard: StandardClassifier,
    pub(super) clock: Arc<dyn WallClock>,
    /// How long a stream is held at most.
    pub(super) hold: Duration,
    /// How long a body may be silent.
    pub(super) idle: Option<Duration>,
}

impl Judge {
    /// Judges an answer by its head alone.
    #[inline]
    pub(super) fn head(&self, parts: &http::Response<impl Sized>) -> Verdict {
        if self.classifiers.is_empty() {
            return Verdict::new(Kind::Success).with_status(parts.status());
        }
        self.ask(&Answer::new(parts.status(), parts.headers(), self.clock.now()), parts.status())
    }

    /// Judges a failed answer.
    pub(super) fn failure(&self, parts: &Parts, body: &[u8], is_complete: bool) -> Verdict {
        let answer = Answer::new(parts.status, &parts.headers, self.clock.now()).with_body(body, is_complete);
        self.ask(&answer, parts.status)
    }

    /// Judges an error inside an answer that began well; `event` is its name.
    pub(super) fn in_stream(&self, answer: &Answer<'_>, event: Option<&str>) -> Verdict {
        let by_user = self.classifiers.iter().find_map(|classifier| verdict_of(|| classifier.answer(answer)));
        let by_rules = || {
            let generic = ProviderRules::default();
            let rules = self.rules.as_ref().unwrap_or(&generic);
            verdict_of(|| rules.error_object(answer, event, answer.body().unwrap_or_default()))
        };
        let unknown = Verdict::new(Kind::ServerError);
        let verdict = by_user.or_else(by_rules).unwrap_or(unknown);
        if verdict.status().is_some() { verdict } else { verdict.with_status(answer.status()) }
    }

    /// Judges an error that came in place of an answer.
    pub(super) fn error(&self, error: &(dyn StdError + 'static)) -> Verdict {
        let by_user = self.classifiers.iter().find_map(|classifier| verdict_of(|| classifier.error(error)));
        by_user.or_else(|| self.standard.error(error)).unwrap_or(Verdict::new(Kind::Network))
    }

    fn ask(&self, answer: &Answer<'_>, status: StatusCode) -> Verdict {
        let by_user = self.classifiers.iter().find_map(|classifier| verdict_of(|| classifier.answer(answer)));
        let by_rules = || verdict_of(|| self.rules.as_ref()?.answer(answer));
        let verdict =
            by_user.or_else(by_rules).or_else(|| self.standard.answer(answer)).unwrap_or(Verdict::new(Kind::Rejected));
        if verdict.status().is_some() { verdict } else { verdict.with_status(status) }
    }
}

/// Calls a classifier, which is foreign code. If it panics, it has no verdict; the panic costs nothing else.
fn verdict_of(classifier: impl FnOnce() -> Option<Verdict>) -> Option<Verdict> {
    shielded(classifier).unwrap_or_else(|| {
        tracing::warn!(target: "oauth_marathon", "a classifier panicked; the next verdict counts");
        None
    })
}

impl fmt::Debug for Judge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Judge").field("classifiers", &self.classifiers.len()).finish_non_exhaustive()
    }
}
