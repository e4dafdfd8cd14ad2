//! Gets token sets from an OAuth server: [`refresh`](mod@refresh) replaces one, `login` gets the first one.
//!
//! This room sends requests to token endpoints, reads their answers, and writes the steps of a refresh into the store.
//! It knows no pool: the [pool](crate::Pool) decides when a token is refreshed and which requests wait for it. It is
//! not one POST, because a refresh token can often be spent only once: an answer is read as tolerantly as possible, so
//! that a mistake in it does not lose the new refresh token.

#[cfg(feature = "login")]
#[cfg_attr(docsrs, doc(cfg(feature = "login")))]
pub mod login;
pub mod refresh;
