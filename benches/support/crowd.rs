//! Many credentials, most of them cooling.

use std::convert::Infallible;
use std::future::Ready;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use http::{Request, Response, StatusCode};
use oauth_marathon::layers::classify::ClassifyLayer;
use oauth_marathon::layers::credential::CredentialLayer;
use oauth_marathon::tokens::refresh::{RefreshError, RefreshRequest, TokenSource};
use oauth_marathon::verdict::Scope;
use oauth_marathon::{Credential, Marathon, MarathonLayer, Pool, TokenSet};
use tokio::runtime::{Builder, Runtime};
use tower::ServiceBuilder;
use tower_layer::Layer;
use tower_service::Service;

use super::paths::{self, Case, Path, Subject};
use super::world::{Body, ORIGIN, Provider, SMALL, at_once, request, token};

/// A pool of `count` OAuth accounts with refresh tokens and expiries. All but `ready` of them have been limited, each by a
/// request of its own.
pub(crate) fn limited(count: usize, ready: usize) -> Pool {
    let expiry = SystemTime::UNIX_EPOCH + Duration::from_secs(4_000_000_000);
    let accounts = (1..=count).map(|number| {
        let name = if number == count && ready > 0 { "last".to_owned() } else { format!("{number:06}-limited") };
        let tokens = TokenSet::new(token(&name)).with_refresh(token("refresh")).expires_at(expiry);
        Credential::new(format!("account-{number}"), tokens)
    });
    let builder = Pool::builder("bench").origin(ORIGIN).credentials(accounts).token_source(NoSource);
    let pool = builder.build().expect("a pool");
    let mut once =
        ServiceBuilder::new().layer(CredentialLayer::new(pool.clone())).layer(ClassifyLayer::new()).service(provider());
    let template = request(SMALL);
    for _ in ready..count {
        let answer = at_once(once.call(template.clone())).expect("an answer");
        assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
    }
    pool
}

/// Limits all but the last.
fn provider() -> Provider {
    Provider::limiting("-limited")
}

/// The whole stack over such a pool.
pub(crate) fn marathon(count: usize, ready: usize) -> Path<Marathon<Provider>> {
    let pool = limited(count, ready);
    drop(paths::marathon(Case::FailOver, SMALL).warm());
    Path::new(request(SMALL), MarathonLayer::new(pool).layer(provider()), || ())
}

/// The whole stack over a pool of two or more, two of them ready. Each request is limited once and answered once; the reset
/// ends the cooldown.
pub(crate) fn failing_over(count: usize) -> Path<Marathon<EverySecond>> {
    let pool = limited(count, 2);
    let service = MarathonLayer::new(pool.clone()).layer(EverySecond::default());
    let ready = [format!("account-{}", count - 1), format!("account-{count}")];
    Path::new(request(SMALL), service, move || {
        for id in &ready {
            pool.clear(id, Scope::Credential);
        }
    })
}

/// Limits every first request, and serves every second.
#[derive(Debug, Clone, Default)]
pub(crate) struct EverySecond(Arc<AtomicUsize>);

impl Service<Request<Body>> for EverySecond {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let is_first = self.0.fetch_add(1, Relaxed).is_multiple_of(2);
        let mut provider = if is_first { Provider::limiting("") } else { Provider::generous() };
        provider.call(request)
    }
}

/// The first request after the cooldowns of all `count` credentials have ended at once.
pub(crate) fn all_due(count: usize) -> AllDue {
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime");
    let path = runtime.block_on(async {
        let pool = limited(count, 0);
        assert_eq!(pool.active(), None);
        tokio::time::advance(Duration::from_secs(31)).await;
        drop(paths::marathon(Case::FailOver, SMALL).warm());
        Path::new(request(SMALL), MarathonLayer::new(pool).layer(Provider::generous()), || ())
    });
    AllDue { runtime, path }
}

/// A path in a runtime whose time has been moved on.
pub(crate) struct AllDue {
    runtime: Runtime,
    path: Path<Marathon<Provider>>,
}

impl Subject for AllDue {
    fn send(&mut self) {
        let _time = self.runtime.enter();
        self.path.send();
    }

    fn reset(&self) {}
}

struct NoSource;

impl TokenSource for NoSource {
    async fn refresh(&self, _: RefreshRequest) -> Result<TokenSet, RefreshError> {
        Err(RefreshError::transient("no token expires here"))
    }
}
