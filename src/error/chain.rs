//! Walks an error and its sources, including one that an error leaves out of its chain.

use std::error::Error as StdError;
use std::fmt;

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

/// Writes the message of an error, and each of its causes on a line of its own. This is the `Debug` text of our errors,
/// because it is what Rust prints for an error that `main` returns.
pub(crate) fn with_causes(error: &(dyn StdError + 'static), f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(f, "{error}")?;
    chain(error).skip(1).try_for_each(|cause| write!(f, "\n  caused by: {cause}"))
}

/// The error inside a `reqwest_middleware::Error`, which does not name it as its source.
#[cfg(feature = "reqwest")]
fn beneath<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a (dyn StdError + 'static)> {
    match error.downcast_ref::<reqwest_middleware::Error>()? {
        reqwest_middleware::Error::Middleware(error) => Some(&**error),
        reqwest_middleware::Error::Reqwest(error) => Some(error),
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use crate::error::{BoxError, Error, ErrorKind};
    use crate::tokens::refresh::RefreshError;

    #[test]
    fn an_error_that_main_returns_is_printed_with_its_causes_and_without_structure() {
        let refused = RefreshError::transient("the vault is sealed").with_source(io::Error::other("no route"));
        let error = Error::new(ErrorKind::Refresh, "the token could not be refreshed").with_source(refused);
        let expected = "the token could not be refreshed\n  caused by: the vault is sealed\n  caused by: no route";
        assert_eq!(format!("{error:?}"), expected);
        assert_eq!(format!("{:?}", BoxError::from(error)), expected);
        assert_eq!(format!("{:?}", Error::config("no origin")), "no origin");
    }

    #[test]
    fn a_refresh_token_in_an_error_is_not_printed() {
        let error = RefreshError::transient("the answer is cut short").with_refresh_token("c4n4ry");
        assert_eq!(format!("{error:?}"), "the answer is cut short");
    }
}
