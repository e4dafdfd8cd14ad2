//! A pool, a scripted provider, and the stack between them, with what tests ask about them.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request};
use http_body_util::{BodyExt, Full};
use oauth_marathon::config::Settings;
use oauth_marathon::context::Attempt;
use oauth_marathon::events::{Event, EventStream};
use oauth_marathon::layers::replay::ReplayableBody;
use oauth_marathon::pool::{CredentialSnapshot, PoolBuilder, Standing};
use oauth_marathon::verdict::Kind;
use oauth_marathon::verdict::OutReason;
use oauth_marathon::{BoxError, Credential, Error, Marathon, MarathonLayer, Pool, RequestContext, Secret, TokenSet};
use oauth_marathon_test::ScriptedProvider;
use tower::{Layer, ServiceExt};

/// An account with a refresh token, which can be refreshed if the pool has a token source. Its token is its id.
pub fn login(id: &str) -> Credential {
    Credential::new(id, TokenSet::new(id).with_refresh(format!("refresh-{id}")))
}

/// An account with a static key, which is its id.
pub fn key(id: &str) -> Credential {
    Credential::new(id, Secret::new(id)).header("x-api-key")
}

/// A pool of logins.
pub fn pool(ids: &[&str]) -> PoolBuilder {
    Pool::builder("openai").origin("https://api.example.com").credentials(ids.iter().map(|id| login(id)))
}

/// The default settings, changed by `change`.
pub fn settings(change: impl FnOnce(&mut Settings)) -> Settings {
    let mut settings = Settings::default();
    change(&mut settings);
    settings
}

pub fn post() -> Request<Full<Bytes>> {
    Request::post("https://api.example.com/v1/chat").body(Full::from("{\"hello\":1}")).expect("well-formed")
}

pub fn get() -> Request<Full<Bytes>> {
    Request::get("https://api.example.com/v1/models").body(Full::default()).expect("well-formed")
}

/// The request, made under this context.
pub fn under<B>(context: &RequestContext, mut request: Request<B>) -> Request<B> {
    request.extensions_mut().insert(context.clone());
    request
}

pub fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Lets this many seconds pass, and all that is due until then happen.
pub async fn pass(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

/// An answer of the stack whose body was read.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: String,
    /// The attempt log; empty if the first attempt succeeded.
    pub attempts: Vec<Attempt>,
}

impl Answer {
    /// The value of `Retry-After`.
    pub fn retry_after(&self) -> Option<&str> {
        self.headers.get("retry-after").map(|value| value.to_str().expect("printable"))
    }
}

#[derive(Clone)]
pub struct Stage {
    pub pool: Pool,
    pub provider: ScriptedProvider,
    pub client: Marathon<ScriptedProvider>,
}

impl Stage {
    pub fn new(pool: PoolBuilder, provider: ScriptedProvider) -> Self {
        Self::with(pool, provider, |layer| layer)
    }

    pub fn with(
        pool: PoolBuilder,
        provider: ScriptedProvider,
        layer: impl FnOnce(MarathonLayer) -> MarathonLayer,
    ) -> Self {
        let pool = pool.build().expect("a well-formed pool");
        let client = layer(MarathonLayer::new(pool.clone())).layer(provider.clone());
        Self { pool, provider, client }
    }

    /// Sends the default request.
    pub async fn post(&self) -> Answer {
        self.send(post()).await
    }

    /// Sends a request, and expects an answer.
    pub async fn send<B>(&self, request: Request<B>) -> Answer
    where
        B: ReplayableBody<Data: Send, Error: Into<BoxError>> + Send + 'static,
    {
        self.try_send(request).await.expect("an answer")
    }

    pub async fn try_send<B>(&self, request: Request<B>) -> Result<Answer, BoxError>
    where
        B: ReplayableBody<Data: Send, Error: Into<BoxError>> + Send + 'static,
    {
        let (head, body) = self.client.clone().oneshot(request).await?.into_parts();
        let body = body.collect().await?.to_bytes();
        Ok(Answer {
            status: head.status.as_u16(),
            headers: head.headers,
            body: String::from_utf8_lossy(&body).into_owned(),
            attempts: RequestContext::of(&head.extensions).map(RequestContext::attempts).unwrap_or_default(),
        })
    }

    /// Sends a request, and expects an error of the stack itself.
    pub async fn refused(&self, request: Request<Full<Bytes>>) -> Error {
        let error = self.try_send(request).await.expect_err("an error");
        *error.downcast::<Error>().expect("an error of the stack")
    }

    /// Sends the default request in a task of its own.
    pub fn spawn(&self) -> tokio::task::JoinHandle<Answer> {
        let stage = self.clone();
        tokio::spawn(async move { stage.post().await })
    }

    pub fn tokens(&self) -> Vec<String> {
        self.provider.tokens()
    }

    /// The ids in the order of use.
    pub fn order(&self) -> Vec<String> {
        self.pool.snapshot().credentials.iter().map(|credential| credential.id.to_string()).collect()
    }

    pub fn of(&self, id: &str) -> CredentialSnapshot {
        self.pool.snapshot().credential(id).expect("in the pool").clone()
    }

    /// The cause of a credential's cooldown, and how long it still lasts.
    pub fn cooldown(&self, id: &str) -> Option<(Kind, Duration)> {
        match self.of(id).standing {
            Standing::Cooling { cooldown, cause, .. } => Some((cause, cooldown)),
            _ => None,
        }
    }

    /// Why a credential is out.
    pub fn out(&self, id: &str) -> Option<OutReason> {
        match self.of(id).standing {
            Standing::Out { reason, .. } => Some(reason),
            _ => None,
        }
    }

    pub fn all_ready(&self) -> bool {
        self.pool.snapshot().credentials.iter().all(|credential| credential.standing == Standing::Ready)
    }
}

/// The names of the events so far.
pub fn names(events: &mut EventStream) -> Vec<&'static str> {
    std::iter::from_fn(|| events.try_recv()).map(|event: Event| event.name()).collect()
}
