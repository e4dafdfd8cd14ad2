//! The layer that opens a context for each call.

use tower_layer::Layer;

use super::service::Notify;
use crate::events::hub::Notifiers;

/// Opens a [`RequestContext`](crate::RequestContext) for every call, and reports callers that go away.
///
/// It belongs at the top of the stack. The context is in the request's extensions, and it is the task's own while the
/// inner service is called, and while the answer is awaited or dropped.
///
/// ```
/// use oauth_marathon::RequestContext;
/// use oauth_marathon::layers::notify::NotifyLayer;
/// use std::convert::Infallible;
/// use tower::{ServiceBuilder, ServiceExt};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Infallible> {
/// let client = ServiceBuilder::new()
///     .layer(NotifyLayer::new())
///     .service_fn(async |_: http::Request<()>| Ok::<_, Infallible>(RequestContext::current().is_some()));
/// assert!(client.oneshot(http::Request::new(())).await?);
/// assert!(RequestContext::current().is_none());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct NotifyLayer {
    notifiers: Option<Notifiers>,
    in_extensions: bool,
}

impl NotifyLayer {
    /// Opens the context, and reports nothing.
    #[must_use]
    pub fn new() -> Self {
        Self { notifiers: None, in_extensions: true }
    }

    /// Opens the context, and reports [`Event::Canceled`](crate::events::Event::Canceled) to these notifiers.
    #[must_use]
    pub fn with_notifiers(notifiers: Notifiers) -> Self {
        Self { notifiers: Some(notifiers), in_extensions: true }
    }

    /// Whether the context is put into the extensions of every request, as it is by default. Code below that runs in another
    /// task, for example behind a `Buffer`, finds it only there. `false` saves three allocations for each attempt of a request
    /// that has no other extensions.
    #[must_use]
    pub fn context_in_extensions(mut self, always: bool) -> Self {
        self.in_extensions = always;
        self
    }
}

impl Default for NotifyLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl<S> Layer<S> for NotifyLayer {
    type Service = Notify<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Notify::over(inner, self.notifiers.clone(), self.in_extensions)
    }
}

made_by_layer!(Notify, NotifyLayer::new());
