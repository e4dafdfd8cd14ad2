//! Streams by script, and a stack over a provider that sends them.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use oauth_marathon::pool::{PoolBuilder, Standing};
use oauth_marathon::verdict::Kind;
use oauth_marathon::{BoxError, MarathonBody, MarathonLayer, Pool};
use oauth_marathon_test::{BodyStep, Reply, ScriptedBody, ScriptedProvider};
use tower::{Layer, Service, ServiceExt};

use crate::support::accounts::{keys, look, post};

pub(crate) const START: &str =
    "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"content\":[]}}\n\n";

pub(crate) const PING: &str = "event: ping\ndata: {\"type\":\"ping\"}\n\n";

pub(crate) const TEXT: &str =
    "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"delta\":{\"text\":\"Hel\"}}\n\n";

pub(crate) const STOP: &str = "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";

pub(crate) const BUSY: &str =
    "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n";

pub(crate) const LIMITED: &str =
    "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"rate_limit_error\",\"message\":\"slow\"}}\n\n";

/// A frame of text.
pub(crate) fn data(text: &'static str) -> BodyStep {
    BodyStep::data(text)
}

/// The trailer `x-sum` of this value.
pub(crate) fn trailers(value: &'static str) -> HeaderMap {
    HeaderMap::from_iter([("x-sum".parse().unwrap(), HeaderValue::from_static(value))])
}

pub(crate) fn stream(steps: impl IntoIterator<Item = BodyStep>) -> Reply {
    streamed(ScriptedBody::new(steps))
}

pub(crate) fn streamed(body: ScriptedBody) -> Reply {
    Reply::ok().header("content-type", "text/event-stream").stream(body)
}

pub(crate) fn typed(content_type: &'static str, steps: impl IntoIterator<Item = BodyStep>) -> Reply {
    Reply::ok().header("content-type", content_type).stream(ScriptedBody::new(steps))
}

/// A stack over a provider that answers each token by its script, and then with "ok".
pub(crate) struct Stage {
    pub(crate) pool: Pool,
    pub(crate) provider: ScriptedProvider,
}

impl Stage {
    pub(crate) fn new(pool: PoolBuilder) -> Self {
        let ok = ScriptedBody::new([data("ok")]);
        Self { pool: pool.build().unwrap(), provider: ScriptedProvider::new().otherwise(Reply::ok().stream(ok)) }
    }

    pub(crate) fn of(ids: &[&str]) -> Self {
        Self::new(keys(ids))
    }

    pub(crate) fn on(self, token: &str, answers: impl IntoIterator<Item = Reply>) -> Self {
        Self { pool: self.pool, provider: self.provider.on(token, answers) }
    }

    pub(crate) fn client(
        &self,
        layer: fn(MarathonLayer) -> MarathonLayer,
    ) -> impl Service<Request<Full<Bytes>>, Response = Response<MarathonBody<ScriptedBody>>, Error = BoxError> + use<>
    {
        layer(MarathonLayer::new(self.pool.clone())).layer(self.provider.clone())
    }

    pub(crate) async fn send(&self) -> Response<MarathonBody<ScriptedBody>> {
        self.client(|layer| layer).oneshot(post()).await.unwrap()
    }

    /// The whole text, and whether it came to its end.
    pub(crate) async fn text(&self) -> (String, bool) {
        read(self.send().await.into_body()).await
    }

    pub(crate) fn tokens(&self) -> Vec<String> {
        self.provider.tokens()
    }

    /// Successes, failures and places in use.
    pub(crate) fn counts(&self, id: &str) -> (u64, u64, u32) {
        let it = look(&self.pool, id);
        (it.successes, it.failures, it.in_flight)
    }

    pub(crate) fn cooling(&self, id: &str) -> Option<Kind> {
        match look(&self.pool, id).standing {
            Standing::Cooling { cause, .. } => Some(cause),
            _ => None,
        }
    }
}

pub(crate) async fn read(mut body: impl Body<Data = Bytes, Error = BoxError> + Unpin) -> (String, bool) {
    let mut text = String::new();
    while let Some(frame) = body.frame().await {
        match frame.map(http_body::Frame::into_data) {
            Ok(Ok(data)) => text.push_str(std::str::from_utf8(&data).unwrap()),
            Ok(Err(_)) => {}
            Err(_) => return (text, false),
        }
    }
    assert!(body.frame().await.is_none(), "an end stays an end");
    (text, true)
}
