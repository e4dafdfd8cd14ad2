use std::sync::Arc;

use tower_layer::Layer;

use super::progress::Shared;
use super::service::Retry;
use crate::config::Settings;
use crate::pool::Pool;
use crate::providers::model::Models;

/// Sends a request again after a failure that another attempt may avoid.
///
/// It stands above [`CredentialLayer`](crate::layers::credential::CredentialLayer) and
/// [`ClassifyLayer`](crate::layers::classify::ClassifyLayer), which note for each attempt what came back and what could come next.
/// Over a service without them it sends again after errors only.
///
/// The request body has to be a [`ReplayableBody`](crate::layers::replayable::ReplayableBody); one that cannot be replayed is sent
/// once.
///
/// ```
/// use oauth_marathon::config::Settings;
/// use oauth_marathon::layers::retry::RetryLayer;
/// use tower_layer::Layer;
///
/// let retry = RetryLayer::new(&Settings::default()).layer("any service");
/// assert_eq!(*retry.get_ref(), "any service");
/// ```
#[derive(Debug, Clone)]
pub struct RetryLayer {
    shared: Arc<Shared>,
}

impl RetryLayer {
    /// A layer that keeps to these settings: `maxAttempts`, `networkRetryAttempts`, `maxWaitMs`, `attemptTimeoutMs`,
    /// `whenAllCooling` and `resend`. It has a budget of its own for resends to a failing provider;
    /// [`for_pool`](Self::for_pool) shares the pool's.
    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        Self { shared: Arc::new(Shared::new(settings)) }
    }

    /// A layer that keeps to the settings of `pool`, and shares the pool's budget for resends to a failing provider with all
    /// other stacks over it. It names the models of its requests, as with [`models`](Self::models), and its events go to the
    /// pool's notifiers.
    #[must_use]
    pub fn for_pool(pool: &Pool) -> Self {
        Self { shared: Arc::new(Shared::for_pool(pool)) }
    }

    /// Names the model of a request for the credential layer below, when a limit of one model makes it matter. Take the models
    /// from [`Pool::models`](crate::Pool::models). Without this, requests whose model no
    /// [context](crate::RequestContext::with_model) names share one cooldown.
    ///
    /// This layer does it because it keeps the request: once an attempt has failed, its body is gone.
    #[must_use]
    pub fn models(mut self, models: Models) -> Self {
        self.shared = Arc::new(self.shared.with_models(models));
        self
    }
}

impl<S> Layer<S> for RetryLayer {
    type Service = Retry<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Retry::over(inner, self.shared.clone())
    }
}

made_by_layer!(Retry, RetryLayer::for_pool(pool: &Pool));
