//! Getting token sets from an OAuth server: [`refresh`](mod@refresh) replaces one, `login` gets the first.
//!
//! The room sends requests to token endpoints and reads their answers. When a token is replaced, and who waits for it, is the
//! [pool](crate::Pool)'s.

#[cfg(feature = "login")]
#[cfg_attr(docsrs, doc(cfg(feature = "login")))]
pub mod login;
pub mod refresh;
