//! Rules for classifiers.

use std::time::Duration;

use fastrand::Rng;
use oauth_marathon::verdict::{Answer, Classifier, Kind, Verdict};

use super::corpus;
use super::violation::{Rule, Violation, unpanicked};
use crate::ManualClock;
use oauth_marathon::clock::WallClock as _;

/// How many answers and errors are judged.
const CASES: usize = 2_000;

/// The longest wait that can be added to a time without harm.
const LONGEST: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

/// Checks a classifier against two thousand answers and errors: usual ones, malformed ones, and ones cut short.
///
/// ```
/// use oauth_marathon::verdict::classify_fn;
/// use oauth_marathon_test::invariants::{Rule, check_classifier};
/// use oauth_marathon::verdict::{Kind, Verdict};
///
/// let careful = classify_fn(|answer| (answer.status() == 418).then(|| Verdict::new(Kind::QuotaExhausted)));
/// check_classifier(&careful, 1)?;
///
/// // A body can be cut short, and need not be text.
/// let careless = classify_fn(|answer| {
///     let text = std::str::from_utf8(answer.body()?).expect("text");
///     text.contains("quota").then(|| Verdict::new(Kind::QuotaExhausted))
/// });
/// # let quiet = std::panic::take_hook(); std::panic::set_hook(Box::new(|_| {}));
/// assert_eq!(check_classifier(&careless, 1).unwrap_err().rule(), Rule::Panicked);
/// # std::panic::set_hook(quiet);
/// # Ok::<_, oauth_marathon_test::invariants::Violation>(())
/// ```
///
/// # Errors
/// The first rule that the classifier breaks.
pub fn check_classifier(classifier: &dyn Classifier, seed: u64) -> Result<(), Violation> {
    let mut rng = Rng::with_seed(seed);
    let now = ManualClock::default().now();
    let run = |rng: &mut Rng| {
        let sample = corpus::sample(rng);
        let mut answer = Answer::new(sample.status, &sample.headers, now);
        if let Some(body) = &sample.body {
            answer = answer.with_body(body, sample.is_complete);
        }
        let shown = || format!("{} with headers {:?} and body {:?}", sample.status, sample.headers, cut(&sample.body));
        if let Some(verdict) = unpanicked(shown, || classifier.answer(&answer))? {
            within_bounds(&verdict, &shown)?;
            if verdict.status().is_some_and(|status| status != sample.status) {
                return Err(Violation::new(Rule::WrongStatus, format!("{verdict} for {}", shown())));
            }
            if verdict.kind() == Kind::Canceled {
                return Err(Violation::new(Rule::ImpossibleKind, format!("{verdict} for {}", shown())));
            }
        }
        let error = corpus::error(rng);
        let shown = || format!("the error {error:?}");
        if let Some(verdict) = unpanicked(shown, || classifier.error(&*error))? {
            within_bounds(&verdict, &shown)?;
            if verdict.is_success() {
                return Err(Violation::new(Rule::ImpossibleKind, format!("{verdict} for {}", shown())));
            }
        }
        Ok(())
    };
    (0..CASES).try_for_each(|_| run(&mut rng)).map_err(|violation: Violation| violation.with_seed(seed))
}

fn within_bounds(verdict: &Verdict, shown: &dyn Fn() -> String) -> Result<(), Violation> {
    match verdict.retry_after() {
        Some(wait) if wait > LONGEST => Err(Violation::new(Rule::WaitOutOfBounds, format!("{wait:?} for {}", shown()))),
        _ => Ok(()),
    }
}

fn cut(body: &Option<Vec<u8>>) -> String {
    let body = body.as_deref().unwrap_or_default();
    String::from_utf8_lossy(body.get(..200).unwrap_or(body)).into_owned()
}
