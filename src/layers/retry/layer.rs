use std::sync::Arc;

use tower_layer::Layer;

use super::progress::Shared;
use super::service::Retry;
use crate::config::Settings;
use crate::pool::Pool;
use crate::providers::model::Models;

/// Sends a request again after a failure that another attempt can mend.
///
/// It stands above [`CredentialLayer`](crate::layers::credential::CredentialLayer) and
/// [`ClassifyLayer`](crate::layers::classify::ClassifyLayer), which note for each attempt what came back and what could come next.
/// Over a service without them it sends again after errors only.
///
/// The request body has to be a [`ReplayableBody`](crate::replayable::ReplayableBody); one that cannot be replayed is sent
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
    /// `whenAllCooling`, `resend` and `onBan`. It has a budget of resends of its own; [`for_pool`](Self::for_pool)
    /// shares that of the pool.
    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        Self { shared: Arc::new(Shared::new(settings)) }
    }

    /// A layer that keeps to the settings of `pool` and shares the pool's budget of resends: several stacks together
    /// send no more again, while the provider fails, than one. It finds the models of its requests as with
    /// [`models`](Self::models), and its events go to the pool's notifiers.
    #[must_use]
    pub fn for_pool(pool: &Pool) -> Self {
        Self { shared: Arc::new(Shared::for_pool(pool)) }
    }

    /// Tells the credential layer below which model a request asks for, where a limit of one model makes that matter:
    /// [`Pool::models`](crate::Pool::models) knows. Without it, limits of single models are kept for all requests together
    /// whose model no [context](crate::RequestContext::with_model) names.
    ///
    /// This layer tells it because it is the one that keeps the request: once an attempt has failed, its body is gone.
    #[must_use]
    pub fn models(mut self, models: Models) -> Self {
        self.shared = Arc::new(self.shared.with_models(models));
        self
    }
}

impl<S> Layer<S> for RetryLayer {
    type Service = Retry<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Retry::new(inner, self.shared.clone())
    }
}
