//! An event without a listener: a call that is given up.

use std::convert::Infallible;
use std::future::{Pending, pending};
use std::task::{Context, Poll};

use http::Request;
use oauth_marathon::events::Notifiers;
use oauth_marathon::layers::notify::{Notify, NotifyLayer};
use tower_layer::Layer;
use tower_service::Service;

/// A service that never answers, under the layer that reports callers who go away.
#[derive(Debug)]
pub(crate) struct Unheard(Notify<Silent>);

#[derive(Debug)]
struct Silent;

impl Service<Request<()>> for Silent {
    type Response = ();
    type Error = Infallible;
    type Future = Pending<Result<(), Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<()>) -> Self::Future {
        pending()
    }
}

impl Unheard {
    pub(crate) fn without_notifiers() -> Self {
        Self::warm(&NotifyLayer::new())
    }

    pub(crate) fn with_notifiers() -> Self {
        Self::warm(&NotifyLayer::with_notifiers(Notifiers::new()))
    }

    fn warm(layer: &NotifyLayer) -> Self {
        let mut unheard = Self(layer.layer(Silent));
        unheard.cancel();
        unheard
    }

    /// Calls and goes away.
    #[inline(never)]
    pub(crate) fn cancel(&mut self) {
        drop(self.0.call(Request::new(())));
    }
}
