//! Walks an error and its sources, including one that an error leaves out of its chain.

use std::error::Error as StdError;

/// `error` and its sources, outermost first. The length is bounded, because a source could name itself.
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

/// The error inside a `reqwest_middleware::Error`, which does not name it as its source.
#[cfg(feature = "reqwest")]
fn beneath<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a (dyn StdError + 'static)> {
    match error.downcast_ref::<reqwest_middleware::Error>()? {
        reqwest_middleware::Error::Middleware(error) => Some(&**error),
        reqwest_middleware::Error::Reqwest(error) => Some(error),
    }
}
