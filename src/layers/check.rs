//! Functions that do nothing: their bounds say in one line what is wrong with a service or a body.

use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use crate::error::BoxError;
use crate::layers::replayable::ReplayableBody;

/// A service that can be cloned: a request may be sent more than once, each time on a clone.
///
/// Every `Clone` is one. The trait exists for the compiler's message about a client that is none.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not `Clone`, and each attempt of a request is sent on a clone of the client: derive `Clone`, or put a `tower::buffer::BufferLayer` over it",
    label = "cannot be cloned"
)]
pub trait CloneService: Clone {}

#[diagnostic::do_not_recommend]
impl<S: Clone> CloneService for S {}

/// Compiles if `service` can stand below [`MarathonLayer`](crate::MarathonLayer) for requests with the body `B`.
///
/// Where it does not, the error names the one bound that is missing, instead of every trait that builds on it. Put it
/// between the client and the layer while a stack does not compile.
///
/// ```
/// use bytes::Bytes;
/// use http_body_util::Full;
/// use oauth_marathon::check_service;
/// use tower::service_fn;
///
/// let client = service_fn(async |_: http::Request<Full<Bytes>>| {
///     Ok::<_, std::convert::Infallible>(http::Response::new(Full::new(Bytes::new())))
/// });
/// check_service::<Full<Bytes>>(&client);
/// ```
pub const fn check_service<B>(
    service: &(impl Service<Request<B>, Response = Response<impl Body>, Error: Into<BoxError>> + CloneService),
) where
    B: ReplayableBody,
{
    let _ = service;
}

/// Compiles if `service` can be shared by the handlers of a server and its answers awaited on any thread: as axum's state
/// and [`BoxCloneSyncService`](https://docs.rs/tower/0.5/tower/util/struct.BoxCloneSyncService.html) need it.
///
/// ```
/// use bytes::Bytes;
/// use http_body_util::Full;
/// use oauth_marathon::{MarathonLayer, Pool, check_shared_service};
/// use tower::{Layer, service_fn};
///
/// # fn main() -> Result<(), oauth_marathon::Error> {
/// let pool = Pool::builder("openai").origin("https://api.example.com").build()?;
/// let client = MarathonLayer::new(pool).layer(service_fn(async |_: http::Request<Full<Bytes>>| {
///     Ok::<_, std::convert::Infallible>(http::Response::new(Full::new(Bytes::new())))
/// }));
/// check_shared_service::<Full<Bytes>>(&client);
/// # Ok(()) }
/// ```
pub const fn check_shared_service<B>(
    service: &(
         impl Service<Request<B>, Response = Response<impl Body>, Error: Into<BoxError>, Future: Send>
         + Clone
         + Send
         + Sync
         + 'static
     ),
) {
    let _ = service;
}

/// Compiles if a request with the body `B` can be sent again.
///
/// ```
/// use bytes::Bytes;
/// use http_body_util::Full;
/// use oauth_marathon::check_request_body;
///
/// check_request_body::<Full<Bytes>>();
/// ```
pub const fn check_request_body<B>()
where
    B: ReplayableBody,
{
}
