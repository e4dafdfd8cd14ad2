//! The [`Classifier`] trait, which judges answers and errors, and the answer as a classifier sees it.

use std::error::Error as StdError;
use std::fmt;
use std::time::SystemTime;

use http::{HeaderMap, StatusCode};

use super::Verdict;

/// Judges answers and transport errors.
///
/// `None` means "no verdict": the next classifier is asked. Judge some answers to refine the standard, or all to
/// replace it. A classifier must not block. If it panics, it has no verdict, and nothing else is harmed.
///
/// A classifier of a provider that says "quota" in a 400, and its test, without a stack:
///
/// ```
/// use http::{HeaderMap, StatusCode};
/// use oauth_marathon::verdict::{Answer, Classifier, Kind, Verdict};
/// use std::time::SystemTime;
///
/// struct QuotaIn400;
///
/// impl Classifier for QuotaIn400 {
///     fn answer(&self, answer: &Answer<'_>) -> Option<Verdict> {
///         let quota = answer.status() == 400 && answer.body()?.starts_with(b"quota");
///         quota.then(|| Verdict::new(Kind::QuotaExhausted).with_status(answer.status()))
///     }
/// }
///
/// let headers = HeaderMap::new();
/// let refused = Answer::new(StatusCode::BAD_REQUEST, &headers, SystemTime::now());
/// let verdict = QuotaIn400.answer(&refused.with_body(b"quota of the day", true));
/// assert_eq!(verdict.map(|verdict| verdict.kind()), Some(Kind::QuotaExhausted));
/// assert_eq!(QuotaIn400.answer(&refused.with_body(b"no such field", true)), None);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not judge answers",
    label = "not a `Classifier`",
    note = "wrap a closure in `oauth_marathon::verdict::classify_fn`",
    note = "a classifier is shared between threads: it must be `Send + Sync + 'static`"
)]
pub trait Classifier: Send + Sync + 'static {
    /// The verdict on an answer.
    fn answer(&self, answer: &Answer<'_>) -> Option<Verdict>;

    /// The verdict on an error that came in place of an answer.
    fn error(&self, error: &(dyn StdError + 'static)) -> Option<Verdict> {
        let _ = error;
        None
    }
}

// A stack holds classifiers as trait objects, so the trait has to stay usable as one.
const _: fn(&dyn Classifier) = |_| {};

/// An answer as a [`Classifier`] sees it: the head, and what was read of a failure's body.
#[derive(Clone, Copy)]
pub struct Answer<'a> {
    status: StatusCode,
    headers: &'a HeaderMap,
    body: Option<&'a [u8]>,
    body_is_complete: bool,
    now: SystemTime,
}

impl<'a> Answer<'a> {
    /// An answer whose head arrived at `now`, and whose body was not read. A stack makes it for its classifiers; make
    /// one to ask a classifier yourself, as in a test.
    ///
    /// ```
    /// use http::{HeaderMap, StatusCode};
    /// use oauth_marathon::providers::failures::ProviderRules;
    /// use oauth_marathon::verdict::{Answer, Classifier, Kind};
    ///
    /// let headers = HeaderMap::new();
    /// let answer = Answer::new(StatusCode::TOO_MANY_REQUESTS, &headers, std::time::SystemTime::now());
    /// let rules = ProviderRules::for_provider("openai");
    /// assert_eq!(rules.answer(&answer).map(|verdict| verdict.kind()), Some(Kind::Throttled));
    ///
    /// let answer = answer.with_body(br#"{"error":{"code":"insufficient_quota"}}"#, true);
    /// assert_ne!(rules.answer(&answer).map(|verdict| verdict.kind()), Some(Kind::Throttled));
    /// ```
    #[must_use]
    pub fn new(status: StatusCode, headers: &'a HeaderMap, now: SystemTime) -> Self {
        Self { status, headers, body: None, body_is_complete: false, now }
    }

    /// Adds what was read of the body, and whether that is all of it.
    #[must_use]
    pub fn with_body(mut self, body: &'a [u8], is_complete: bool) -> Self {
        self.body = Some(body);
        self.body_is_complete = is_complete;
        self
    }

    /// The status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The header fields.
    #[must_use]
    pub fn headers(&self) -> &'a HeaderMap {
        self.headers
    }

    /// What was read of a failure's body, at most 128 KiB. May be cut short, see
    /// [`body_is_complete`](Self::body_is_complete).
    ///
    /// For a status below 400 there is none when the head is judged. An [error inside a stream](crate::layers::classify::ClassifyLayer#streams) is
    /// judged under the same head, with the data of its event as the body; the verdict success then means that it is no error.
    #[must_use]
    pub fn body(&self) -> Option<&'a [u8]> {
        self.body
    }

    /// Whether [`body`](Self::body) is the whole body.
    #[must_use]
    pub fn body_is_complete(&self) -> bool {
        self.body_is_complete
    }

    /// The time of day at which the head arrived, for dates in the answer.
    #[must_use]
    pub fn now(&self) -> SystemTime {
        self.now
    }
}

impl fmt::Debug for Answer<'_> {
    /// Without header values and body, which may hold anything.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("status", &self.status)
            .field("body_length", &self.body.map(<[u8]>::len))
            .field("body_is_complete", &self.body_is_complete)
            .finish_non_exhaustive()
    }
}

/// A classifier of answers from a closure; errors keep the standard verdict.
///
/// ```
/// use oauth_marathon::verdict::{Answer, Classifier, classify_fn};
/// use oauth_marathon::verdict::{Kind, Verdict};
///
/// // This provider says 418 when the day's quota is used up.
/// let teapot = classify_fn(|answer: &Answer<'_>| {
///     (answer.status() == 418).then(|| Verdict::new(Kind::QuotaExhausted).with_status(answer.status()))
/// });
/// let classifiers: Vec<Box<dyn Classifier>> = vec![Box::new(teapot)];
/// # let _ = classifiers;
/// ```
pub fn classify_fn<F>(f: F) -> ClassifyFn<F>
where
    F: Fn(&Answer<'_>) -> Option<Verdict> + Send + Sync + 'static,
{
    ClassifyFn(f)
}

/// A classifier from a closure; made by [`classify_fn`].
#[derive(Clone)]
pub struct ClassifyFn<F>(F);

impl<F> Classifier for ClassifyFn<F>
where
    F: Fn(&Answer<'_>) -> Option<Verdict> + Send + Sync + 'static,
{
    fn answer(&self, answer: &Answer<'_>) -> Option<Verdict> {
        (self.0)(answer)
    }
}

impl<F> fmt::Debug for ClassifyFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("classify_fn")
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;
    use crate::verdict::Kind;

    #[test]
    fn a_closure_judges_some_and_leaves_the_others() {
        let teapot = classify_fn(|answer| (answer.status() == 418).then(|| Verdict::new(Kind::QuotaExhausted)));
        let headers = HeaderMap::new();
        let of = |status| Answer::new(StatusCode::from_u16(status).unwrap(), &headers, UNIX_EPOCH);

        assert_eq!(teapot.answer(&of(418)).map(|verdict| verdict.kind()), Some(Kind::QuotaExhausted));
        assert_eq!(teapot.answer(&of(429)), None);
        assert_eq!(teapot.error(&std::io::Error::other("gone")), None);
    }

    #[test]
    fn the_debug_text_of_an_answer_shows_neither_headers_nor_body() {
        let mut headers = HeaderMap::new();
        headers.insert("set-cookie", "s3cret".parse().unwrap());
        let answer = Answer::new(StatusCode::BAD_REQUEST, &headers, UNIX_EPOCH).with_body(b"s3cret", true);

        let text = format!("{answer:?} {:?}", classify_fn(|_| None));
        assert!(!text.contains("s3cret"), "{text}");
        assert!(text.contains("400") && text.contains("body_length: Some(6)"), "{text}");
        assert_eq!((answer.body(), answer.body_is_complete()), (Some(&b"s3cret"[..]), true));
    }
}
