//! Gets token sets from an OAuth server: [`refresh`](mod@refresh) replaces one, `login` gets the first one.
//!
//! This room sends requests to token endpoints, reads their answers, and writes the steps of a refresh into the store. It
//! knows no pool: when a token is refreshed, and which requests wait for it, is decided by the [pool](crate::Pool). It is
//! not one POST, because a refresh token can often be spent only once: an answer is read as tolerantly as possible, and its
//! new refresh token must not get lost over anything else in it.

#[cfg(feature = "login")]
#[cfg_attr(docsrs, doc(cfg(feature = "login")))]
pub mod login;
pub mod refresh;
