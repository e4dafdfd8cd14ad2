//! What stands at the bottom of the stack and sends: a pooled HTTPS client over hyper, and reqwest.

#[cfg(feature = "hyper-client")]
mod hyper;
#[cfg(feature = "reqwest")]
#[cfg_attr(docsrs, doc(cfg(feature = "reqwest")))]
pub mod reqwest;

#[cfg(feature = "hyper-client")]
#[cfg_attr(docsrs, doc(cfg(feature = "hyper-client")))]
pub use self::hyper::{HttpClient, ResponseBody, ResponseFuture};
