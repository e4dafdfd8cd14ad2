//! The same stack for users of reqwest.

mod adapter;
mod body;
mod convert;
mod middleware;
mod next;
mod redirect;
mod source;

pub use self::adapter::{ReqwestLayer, ReqwestService, ResponseFuture};
pub use self::body::RequestBody;
pub use self::middleware::MarathonMiddleware;
pub use self::redirect::redirect_policy;
pub(crate) use self::source::beneath;
