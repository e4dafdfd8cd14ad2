//! The layer that makes every request body replayable.

use tower_layer::Layer;

use super::{DEFAULT_LIMIT, Replay};
use crate::config::Settings;

/// Wraps the body of each request in a [`ReplayBody`](super::ReplayBody).
///
/// Put it outside of a layer that sends requests again. Bodies that clone for free do not need it.
///
/// ```
/// use bytes::Bytes;
/// use http::Request;
/// use http_body_util::Full;
/// use oauth_marathon::layers::replay::{ReplayBody, ReplayLayer};
/// use tower::{Layer, ServiceExt, service_fn};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let client = service_fn(|request: Request<ReplayBody<Full<Bytes>>>| async move {
///     Ok::<_, std::convert::Infallible>(request.uri().path().to_owned())
/// });
/// let service = ReplayLayer::new(64 * 1024).layer(client);
/// let request = Request::post("/v1/messages").body(Full::from("{}")).unwrap();
/// assert_eq!(service.oneshot(request).await.unwrap(), "/v1/messages");
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct ReplayLayer {
    cap_bytes: usize,
}

impl ReplayLayer {
    /// A layer that keeps at most `cap_bytes` bytes of data of each request (`replayLimitBytes`).
    #[must_use]
    pub fn new(cap_bytes: usize) -> Self {
        Self { cap_bytes }
    }

    /// A layer that keeps to the limit in these settings.
    #[must_use]
    pub fn with_settings(settings: &Settings) -> Self {
        Self { cap_bytes: usize::try_from(settings.replay_limit_bytes).unwrap_or(usize::MAX) }
    }
}

impl Default for ReplayLayer {
    /// Keeps at most 1 MiB of each request.
    fn default() -> Self {
        Self::new(DEFAULT_LIMIT)
    }
}

impl<S> Layer<S> for ReplayLayer {
    type Service = Replay<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Replay::new(inner, self.cap_bytes)
    }
}

impl Replay<()> {
    /// The layer that makes this service: [`ReplayLayer::new`].
    #[must_use]
    pub fn layer(cap_bytes: usize) -> ReplayLayer {
        ReplayLayer::new(cap_bytes)
    }
}
