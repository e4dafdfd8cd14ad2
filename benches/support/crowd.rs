//! Many credentials, most of them cooling.

use std::time::{Duration, Instant, SystemTime};

use http::StatusCode;
use oauth_marathon::layers::classify::ClassifyLayer;
use oauth_marathon::layers::credential::CredentialLayer;
use oauth_marathon::pool::state::rotation::Rotation;
use oauth_marathon::tokens::refresh::{RefreshError, RefreshRequest, TokenSource};
use oauth_marathon::{Credential, Marathon, MarathonLayer, Pool, TokenSet};
use tower::ServiceBuilder;
use tower_layer::Layer;
use tower_service::Service;

use super::paths::{self, Case, Path};
use super::world::{ORIGIN, Provider, SMALL, at_once, request, token};

/// A rotation, and what time it is for it.
#[derive(Debug)]
pub(crate) struct Crowd {
    pub(crate) rotation: Rotation,
    pub(crate) now: Instant,
}

fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

impl Crowd {
    /// The first is ready; the others are cooling, each a little longer than the one before.
    pub(crate) fn one_ready(count: u32) -> Box<Self> {
        let now = now();
        let mut rotation = Rotation::default();
        rotation.to_back(0);
        for place in 1..count {
            rotation.cool(place, later(now, place));
        }
        Box::new(Self { rotation, now })
    }

    /// One in a hundred is ready, at least two; one more is due.
    pub(crate) fn few_ready(count: u32) -> Box<Self> {
        let mut crowd = Self::one_ready(count + 1);
        for place in 1..(count / 100).max(2) {
            crowd.rotation.to_back(place);
        }
        crowd.rotation.cool(count, crowd.now);
        crowd
    }

    /// All are cooling, and all cooldowns end now.
    pub(crate) fn all_due(count: u32) -> Box<Self> {
        let now = now();
        let mut rotation = Rotation::default();
        for place in 0..count {
            rotation.cool(place, now);
        }
        Box::new(Self { rotation, now })
    }

    /// What a request does to find a credential.
    #[inline(never)]
    pub(crate) fn pick(&mut self) -> Option<u32> {
        self.rotation.join(self.now, |_| ());
        self.rotation.first()
    }

    /// The same; then the time moves on to where the first one recovers.
    pub(crate) fn pick_cool_and_join(&mut self) -> Option<u32> {
        let place = self.pick()?;
        self.rotation.cool(place, self.now + Duration::from_secs(7 * 24 * 3600));
        self.now = self.rotation.due()?;
        Some(place)
    }

    /// The same, and then the credential is limited for longer than all others.
    #[inline(never)]
    pub(crate) fn pick_and_cool(&mut self) -> Option<u32> {
        let place = self.pick()?;
        self.rotation.cool(place, self.now + Duration::from_secs(7 * 24 * 3600));
        Some(place)
    }
}

fn later(now: Instant, place: u32) -> Instant {
    now + Duration::from_secs(3600) + Duration::from_millis(u64::from(place))
}

/// A pool of `count` OAuth accounts with refresh tokens and expiries. All but `ready` of them have been limited, each by a
/// request of its own.
pub(crate) fn limited(count: usize, ready: usize) -> Pool {
    let expiry = SystemTime::UNIX_EPOCH + Duration::from_secs(4_000_000_000);
    let accounts = (1..=count).map(|number| {
        let name = if number == count { "last".to_owned() } else { format!("{number:06}-limited") };
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

struct NoSource;

impl TokenSource for NoSource {
    async fn refresh(&self, _: RefreshRequest) -> Result<TokenSet, RefreshError> {
        Err(RefreshError::transient("no token expires here"))
    }
}
