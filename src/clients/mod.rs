//! Clients for the bottom of the stack, which send requests: a pooled HTTPS client over hyper, and reqwest.
//!
//! The room sends requests as it gets them: it picks no credential and judges no answer. Any tower service can take its
//! place. It exists because hyper's own client comes without TLS and time limits, and because reqwest has types of its
//! own and follows redirects by itself. For its redirects the room asks the pool where a credential may be sent; and
//! for a middleware of reqwest it wraps the whole stack.

#[cfg(feature = "hyper-client")]
mod hyper;
#[cfg(feature = "reqwest")]
#[cfg_attr(docsrs, doc(cfg(feature = "reqwest")))]
pub mod reqwest;

#[cfg(feature = "hyper-client")]
#[cfg_attr(docsrs, doc(cfg(feature = "hyper-client")))]
pub use self::hyper::{HttpClient, HttpClientBuilder, ResponseBody, ResponseFuture};
