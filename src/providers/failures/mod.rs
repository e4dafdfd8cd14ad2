//! What the providers of models mean by their failures: rules by family.
//!
//! A status alone says little: a 429 is a throttle, a used-up plan, an empty purse, a lack of capacity or a request that can
//! never fit. [`ProviderRules`] read what the answer says for machines, in this order:
//!
//! 1. rules of yours ([`Rule`]);
//! 2. codes in the body, in any envelope: the family's own, then the codes that all families share;
//! 3. header fields: a network in front of the provider, a `Bearer` challenge (RFC 6750), used-up windows of a quota;
//! 4. known sentences in the message of the error object, for the family's known statuses alone;
//! 5. the status.
//!
//! Words elsewhere in a body are never read, and a message that speaks about a parameter of the request is not
//! believed: both may quote what the user wrote.
//!
//! The rules read a failed answer and give a verdict; what follows from it is up to the retry layer and the pool. They
//! are tables of codes and sentences, because providers name the same failure in a hundred ways.
//!
//! # What an answer means
//!
//! | what the answer says | kind | scope | what happens |
//! |---|---|---|---|
//! | too many requests | `Throttled` | `Credential`, or `Model` where limits are of a model | a cooldown as long as stated; the next credential is tried |
//! | too many requests from this network | `Throttled` | `Provider` | no cooldown |
//! | the plan's or the day's quota is used up | `QuotaExhausted` | `Credential` or `Model` | a cooldown until the reset; the next one |
//! | no credits, a limit on spending, an unpaid bill | `Billing` | `Credential` (`Model` where only this one costs) | a long cooldown; the next one; remedy `Pay` |
//! | the token has expired or is not accepted | `Unauthorized` | `Generation` | refreshed once; the same one again |
//! | the login or the key is worth nothing | `Revoked` | `Credential` | out until a person acts; the next one; remedy `LogIn` |
//! | banned, suspended, disabled | `Banned` | `Credential` | out until a person acts; returned; remedy `ContactProvider` |
//! | the key is known to others | `Banned` | `Credential` | the same; remedy `ReplaceKey` |
//! | the account has to be verified | `Banned` | `Credential` | the same; remedy `Verify` |
//! | this credential may not use this model | `Forbidden` | `Model` | the next one may |
//! | this credential may not use the service | `Forbidden` | `Credential` | the next one may; remedy `Enable` or `Pay` |
//! | no request from this country or network is served | `Forbidden` | `Provider` | returned |
//! | no credential may ask for this | `Forbidden` | `Request` | returned |
//! | 403 without a reason | `Forbidden` | `Generation` | refreshed once, then another one, then returned |
//! | no capacity | `Overloaded` | `Provider` | again after a pause, then one failover |
//! | the provider failed | `ServerError` | `Provider` | the same |
//! | the request is at fault | `Rejected` | `Request` | returned |
//!
//! # Stated times
//!
//! The first of these that can be read counts, and the verdict names it as its [`TimeSource`](crate::verdict::TimeSource):
//! `retry-after-ms` and its relatives, `Retry-After`; members of the body (`resets_at`, `resets_in_seconds`, Google's
//! `RetryInfo` and `quotaResetDelay`, `availability.retry_after`, `retry_after` and their like); the used-up window of a quota
//! that is whole again the latest ([`Quota`](crate::providers::quota::Quota)); a sentence such as "try again in 11.054s" of a known family.
//! Times are rounded up to whole milliseconds, and are at most ten years.

use crate::credentials::origin::Origin;
use crate::verdict::{Answer, Classifier, Kind, Processed, Verdict};

mod codes;
mod document;
mod failure;
mod families;
mod family;
mod family_rules;
mod fields;
mod judge;
mod row;
mod rule;
mod wait;

use self::failure::Failure;
pub use self::family::Family;
pub use self::rule::Rule;

/// The rules of one family of providers, with rules of yours before them.
///
/// They have a verdict on every failed answer, and none on others. [`MarathonLayer`](crate::MarathonLayer) asks the
/// rules of its pool's provider after the classifiers that you add.
///
/// ```
/// use oauth_marathon::layers::classify::ClassifyLayer;
/// use oauth_marathon::providers::failures::{Family, ProviderRules, Rule};
/// use oauth_marathon::verdict::{Kind, Verdict};
///
/// let rules = ProviderRules::for_provider("openai")
///     .rule(Rule::new(Verdict::new(Kind::Overloaded)).code("our_gateway_is_busy"));
/// assert_eq!(rules.family(), Family::OpenAi);
/// let layer = ClassifyLayer::with(rules);
/// # let _ = layer;
/// ```
#[derive(Debug, Clone, Default)]
pub struct ProviderRules {
    family: Family,
    rules: Vec<Rule>,
}

impl ProviderRules {
    /// The rules of a family.
    #[must_use]
    pub const fn new(family: Family) -> Self {
        Self { family, rules: Vec::new() }
    }

    /// The rules of the provider with this id, such as `openai` or `github-copilot`; generic ones for an unknown id.
    #[must_use]
    pub fn for_provider(id: &str) -> Self {
        Self::new(Family::of_provider(id).unwrap_or_default())
    }

    /// The rules of the provider at this origin, such as `https://api.openai.com`; generic ones for an unknown origin.
    #[must_use]
    pub fn for_origin(origin: &str) -> Self {
        Self::new(Family::of_origin(origin).unwrap_or_default())
    }

    /// The rules by the provider's id, or by its origins if the id is unknown or the origin names a special service of
    /// the same company.
    pub(crate) fn for_provider_at(id: &str, origins: &[Origin]) -> Self {
        let by_origin = origins.iter().find_map(|origin| Family::of_origin(&origin.to_string()));
        Self::new(match (Family::of_provider(id), by_origin) {
            (Some(Family::OpenAi), Some(part @ (Family::Codex | Family::AzureOpenAi))) => part,
            (Some(Family::Gemini), Some(part @ (Family::Vertex | Family::CodeAssist))) => part,
            (Some(by_id), _) => by_id,
            (None, by_origin) => by_origin.unwrap_or_default(),
        })
    }

    /// Adds a rule of yours, asked before the family's rules and after the rules that were added earlier.
    #[must_use]
    pub fn rule(mut self, rule: Rule) -> Self {
        self.rules.push(rule);
        self
    }

    /// The family whose rules these are.
    #[must_use]
    pub const fn family(&self) -> Family {
        self.family
    }

    /// Judges an error object inside an answer that began well, such as an event of a stream.
    ///
    /// `head` is the answer's head, whose header fields can name used-up windows. `event` is what the framing calls the
    /// object: the name of a server-sent event, or the `:exception-type` of an AWS event stream. `data` is the object
    /// as JSON: the joined `data:` lines of an event, a WebSocket message, or a bare JSON tail. `None` if it is no
    /// error, so every frame that could be one may be asked about. Reads at most the first 128 KiB. The verdict has the
    /// status that the object states, if any. The provider has accepted the request, so it counts as maybe processed
    /// unless the error refuses it.
    ///
    /// ```
    /// use http::{HeaderMap, StatusCode};
    /// use oauth_marathon::providers::failures::ProviderRules;
    /// use oauth_marathon::verdict::{Answer, Kind};
    ///
    /// let (rules, headers) = (ProviderRules::for_provider("anthropic"), HeaderMap::new());
    /// let head = Answer::new(StatusCode::OK, &headers, std::time::SystemTime::now());
    /// let judge = |data: &str| rules.error_object(&head, None, data.as_bytes()).map(|verdict| verdict.kind());
    /// assert_eq!(judge(r#"{"type":"error","error":{"type":"overloaded_error"}}"#), Some(Kind::Overloaded));
    /// assert_eq!(judge(r#"{"type":"ping"}"#), None);
    /// ```
    #[must_use]
    pub fn error_object(&self, head: &Answer<'_>, event: Option<&str>, data: &[u8]) -> Option<Verdict> {
        let verdict = self.judge(&Failure::inside(head, event, data)?);
        Some(match verdict.kind() {
            Kind::Overloaded | Kind::ServerError => verdict.with_processed(Processed::Maybe),
            _ => verdict,
        })
    }

    fn judge(&self, failure: &Failure<'_>) -> Verdict {
        match self.rules.iter().find_map(|rule| rule.verdict(failure)) {
            Some(verdict) => judge::timed(verdict, failure, true),
            None => judge::judge(self.family, failure),
        }
    }
}

impl Classifier for ProviderRules {
    fn answer(&self, answer: &Answer<'_>) -> Option<Verdict> {
        (answer.status().as_u16() >= 400).then(|| self.judge(&Failure::of_answer(answer)))
    }
}
