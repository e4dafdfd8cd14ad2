//! Walks an error and its sources, one that an error hides from its own chain too.

use std::error::Error as StdError;

/// `error` and its sources, outermost first. Bounded, as a source could name itself.
pub(crate) fn chain<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |error| {
        let error: &'a (dyn StdError + 'static) = *error;
        #[cfg(feature = "reqwest")]
        if let Some(beneath) = beneath(error) {
            return Some(beneath);
        }
        error.source()
    })
    .take(32)
}

/// The error inside a `reqwest_middleware::Error`, which leaves it out of its sources.
#[cfg(feature = "reqwest")]
fn beneath<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a (dyn StdError + 'static)> {
    match error.downcast_ref::<reqwest_middleware::Error>()? {
        reqwest_middleware::Error::Middleware(error) => Some(&**error),
        reqwest_middleware::Error::Reqwest(error) => Some(error),
    }
}
