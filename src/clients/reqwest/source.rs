//! What lies beneath reqwest-middleware's error, which hides it from its own chain of sources.

use std::error::Error as StdError;

/// The error inside a `reqwest_middleware::Error`, which leaves it out of its sources.
pub(crate) fn beneath<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a (dyn StdError + 'static)> {
    match error.downcast_ref::<reqwest_middleware::Error>()? {
        reqwest_middleware::Error::Middleware(error) => Some(&**error),
        reqwest_middleware::Error::Reqwest(error) => Some(error),
    }
}
