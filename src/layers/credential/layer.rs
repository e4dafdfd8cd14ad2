use tower_layer::Layer;

use super::service::CredentialService;
use crate::pool::Pool;

/// Sends each request with a credential of a pool.
///
/// It checks that the request's origin is one of the pool's, leases a credential, removes what the caller put into the
/// headers that carry credentials, injects the credential's own (marked sensitive), and calls the inner service. What comes
/// back, as judged by a [`ClassifyLayer`](crate::layers::classify::ClassifyLayer) below, is settled with the pool.
///
/// A request to any other origin is refused with an error of kind
/// [`ForeignOrigin`](crate::ErrorKind::ForeignOrigin), unless [`CredentialLayer::pass_other_origins`] lets it go on without
/// a credential.
///
/// ```
/// use oauth_marathon::layers::credential::CredentialLayer;
/// use oauth_marathon::{Credential, Error, Pool, Secret};
/// # use http_body_util::Empty;
/// # use bytes::Bytes;
/// use tower::{ServiceBuilder, ServiceExt, service_fn};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), oauth_marathon::BoxError> {
/// let pool = Pool::builder("openai")
///     .origin("https://api.example.com")
///     .credential(Credential::new("key", Secret::new("sk-1")).header("x-api-key"))
///     .build()?;
/// let client = ServiceBuilder::new().layer(CredentialLayer::new(pool)).service(service_fn(
///     async |request: http::Request<()>| {
///         assert_eq!(request.headers()["x-api-key"], "sk-1");
///         Ok::<_, std::convert::Infallible>(http::Response::new(Empty::<Bytes>::new()))
///     },
/// ));
/// let request = http::Request::get("https://api.example.com/v1/models").body(())?;
/// assert_eq!(client.clone().oneshot(request).await?.status(), 200);
///
/// let elsewhere = http::Request::get("https://example.org/").body(())?;
/// let error = client.oneshot(elsewhere).await.expect_err("another origin");
/// assert!(Error::find(&*error).is_some());
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct CredentialLayer {
    pool: Pool,
    pass_other_origins: bool,
}

impl CredentialLayer {
    /// Sends requests with the credentials of `pool`.
    #[must_use]
    pub fn new(pool: Pool) -> Self {
        Self { pool, pass_other_origins: false }
    }

    /// Whether a request to a foreign origin goes on without any credential, instead of being refused. A redirect layer above
    /// needs this to follow to other origins.
    #[must_use]
    pub fn pass_other_origins(mut self, pass: bool) -> Self {
        self.pass_other_origins = pass;
        self
    }
}

impl<S> Layer<S> for CredentialLayer {
    type Service = CredentialService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        CredentialService::over(inner, self.pool.clone(), self.pass_other_origins)
    }
}

made_by_layer!(CredentialService, CredentialLayer::new(pool: Pool));
