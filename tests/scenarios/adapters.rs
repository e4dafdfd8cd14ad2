//! The three ways in which users run the stack.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::extract::State;
use axum::response::IntoResponse;
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client as HyperClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use oauth_marathon::clients::reqwest::{MarathonMiddleware, redirect_policy};
use oauth_marathon::layers::replay::{Replay, ReplayBody, ReplayLayer};
use oauth_marathon::{BoxError, Error, Marathon, MarathonBody, MarathonLayer, Pool, RequestContext};
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware};
use tokio::task::JoinSet;
use tower::{Layer, ServiceBuilder, ServiceExt};

use crate::provider::Chunks;
use crate::scenario::Call;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Adapter {
    /// tower's layers over hyper-util's client.
    Tower,
    /// A handler of axum that has such a stack in its state.
    Axum,
    /// A middleware of reqwest-middleware.
    Reqwest,
}

/// What the caller got.
#[derive(Debug)]
pub(crate) struct Got {
    pub(crate) came: Came,
    /// The credential and the kind of each attempt.
    pub(crate) log: Vec<String>,
}

#[derive(Debug)]
pub(crate) enum Came {
    /// An answer. Its body is `None` if it broke off.
    Answer(StatusCode, HeaderMap, Option<Bytes>),
    /// An error of this crate, by its kind.
    Ours(String),
    /// Any other error, as text.
    Foreign(#[allow(dead_code, reason = "it is there to be printed")] String),
}

/// A caller behind one of the adapters.
pub(crate) enum Caller {
    Tower(Box<Stack>),
    Axum { backend: SocketAddr, http: Box<Hyper<Streamed>>, _task: JoinSet<()> },
    Reqwest(ClientWithMiddleware),
}

impl Caller {
    pub(crate) async fn new(adapter: Adapter, pool: &Pool, layer: MarathonLayer) -> Result<Self, BoxError> {
        Ok(match adapter {
            Adapter::Tower => Self::Tower(Box::new(Stack::new(pool, &layer))),
            Adapter::Axum => {
                let app = axum::Router::new().fallback(handler).with_state(Stack::new(pool, &layer));
                let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
                let backend = listener.local_addr()?;
                let mut task = JoinSet::new();
                task.spawn(async move { drop(axum::serve(listener, app).await) });
                Self::Axum { backend, http: Box::new(hyper_client()), _task: task }
            }
            Adapter::Reqwest => {
                let client = reqwest::Client::builder().no_proxy().redirect(redirect_policy(pool)).build()?;
                Self::Reqwest(ClientBuilder::new(client).with(MarathonMiddleware::new(layer)).build())
            }
        })
    }

    pub(crate) async fn send(&self, call: &Call, origin: &str) -> Result<Got, BoxError> {
        let url = format!("{}{}", call.to.unwrap_or(origin), call.path);
        let context = context(call.pin, call.within_seconds);
        match self {
            Self::Tower(stack) => {
                let mut request = head(call, &url).body(payload(call))?;
                request.extensions_mut().insert(context.clone());
                let result = Stack::clone(stack).send(request).await;
                Ok(Got { log: log(&context), came: came(result).await })
            }
            Self::Axum { backend, http, .. } => {
                let mut request = head(call, &format!("http://{backend}{}", call.path));
                for (name, value) in [("to", Some(url)), ("pin", call.pin.map(Into::into))] {
                    request = request.header(format!("x-suite-{name}"), value.unwrap_or_default());
                }
                let seconds = call.within_seconds.map_or(String::new(), |seconds| seconds.to_string());
                let streamed = call.streamed.to_string();
                let request = request.header("x-suite-within", seconds).header("x-suite-streamed", streamed);
                let body = match payload(call) {
                    Payload::Whole(bytes) => Full::from(bytes).map_err(io::Error::other).boxed_unsync(),
                    Payload::Streamed(body) => body,
                };
                told(http.request(request.body(body)?).await?).await
            }
            Self::Reqwest(client) => {
                let (head, ()) = head(call, &url).body(())?.into_parts();
                let mut request = client.request(head.method, url).headers(head.headers);
                if call.streamed {
                    request = request.body(reqwest::Body::wrap(chunks(call)));
                } else if !call.body.is_empty() {
                    request = request.body(call.body.clone());
                }
                let came = match request.with_extension(context.clone()).send().await {
                    Ok(answer) => {
                        let (status, headers) = (answer.status(), answer.headers().clone());
                        Came::Answer(status, headers, answer.bytes().await.ok())
                    }
                    Err(error) => failed(&error),
                };
                Ok(Got { came, log: log(&context) })
            }
        }
    }
}

type Hyper<B> = HyperClient<HttpConnector, B>;
type Streamed = UnsyncBoxBody<Bytes, io::Error>;

pub(crate) enum Payload {
    Whole(Bytes),
    Streamed(Streamed),
}

/// The layers over hyper-util's client, for whole bodies and for streams.
#[derive(Clone)]
pub(crate) struct Stack {
    whole: Marathon<Hyper<Full<Bytes>>>,
    streamed: Replay<Marathon<Hyper<ReplayBody<Streamed>>>>,
}

impl Stack {
    fn new(pool: &Pool, layer: &MarathonLayer) -> Self {
        let replay = ReplayLayer::with_settings(pool.settings());
        let streamed = ServiceBuilder::new().layer(replay).layer(layer.clone()).service(hyper_client());
        Self { whole: layer.layer(hyper_client()), streamed }
    }

    async fn send(self, request: Request<Payload>) -> Result<Response<MarathonBody<Incoming>>, BoxError> {
        let (head, payload) = request.into_parts();
        match payload {
            Payload::Whole(bytes) => self.whole.oneshot(Request::from_parts(head, bytes.into())).await,
            Payload::Streamed(body) => self.streamed.oneshot(Request::from_parts(head, body)).await,
        }
    }
}

/// Calls the provider, passes its answer on, and lists the attempts in a header.
async fn handler(State(stack): State<Stack>, request: axum::extract::Request) -> axum::response::Response {
    let (mut head, body) = request.into_parts();
    let mut order =
        |name| head.headers.remove(name).and_then(|value| Some(value.to_str().ok()?.to_owned())).unwrap_or_default();
    let (to, pin, within) = (order("x-suite-to"), order("x-suite-pin"), order("x-suite-within"));
    let payload = if order("x-suite-streamed") == "true" {
        Payload::Streamed(body.map_err(io::Error::other).boxed_unsync())
    } else {
        match axum::body::to_bytes(body, usize::MAX).await {
            Ok(bytes) => Payload::Whole(bytes),
            Err(error) => return (StatusCode::BAD_REQUEST, error.to_string()).into_response(),
        }
    };
    for name in [HOST, CONTENT_LENGTH, TRANSFER_ENCODING] {
        head.headers.remove(name);
    }
    let Ok(mut request) = Request::builder().method(head.method).uri(to).body(payload) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    *request.headers_mut() = head.headers;
    let context = context(Some(&*pin).filter(|pin| !pin.is_empty()), within.parse().ok());
    let mut answer = match context.clone().scope(stack.send(request)).await {
        Ok(answer) => answer.map(axum::body::Body::new),
        Err(error) => match failed(&*error) {
            Came::Ours(kind) => (StatusCode::BAD_GATEWAY, [("x-suite-ours", kind)]).into_response(),
            _ => (StatusCode::BAD_GATEWAY, [("x-suite-foreign", "yes")], format!("{error:?}")).into_response(),
        },
    };
    if let Ok(log) = HeaderValue::try_from(log(&context).join(";")) {
        answer.headers_mut().insert("x-suite-log", log);
    }
    answer
}

/// Reads the handler's answer and the attempts in its header.
async fn told(answer: Response<Incoming>) -> Result<Got, BoxError> {
    let (mut head, body) = answer.into_parts();
    let body = body.collect().await.ok().map(http_body_util::Collected::to_bytes);
    let mut take = |name| head.headers.remove(name).and_then(|value| Some(value.to_str().ok()?.to_owned()));
    let (log, ours, foreign) = (take("x-suite-log"), take("x-suite-ours"), take("x-suite-foreign"));
    let log = log.ok_or("the handler has failed")?;
    let came = match (ours, foreign) {
        (Some(kind), _) => Came::Ours(kind),
        (None, Some(_)) => Came::Foreign(String::from_utf8_lossy(&body.unwrap_or_default()).into_owned()),
        (None, None) => Came::Answer(head.status, head.headers, body),
    };
    Ok(Got { came, log: log.split(';').filter(|attempt| !attempt.is_empty()).map(Into::into).collect() })
}

fn hyper_client<B>() -> Hyper<B>
where
    B: http_body::Body<Data: Send> + Send,
{
    HyperClient::builder(TokioExecutor::new()).build_http()
}

fn head(call: &Call, url: &str) -> http::request::Builder {
    let builder = Request::builder().method(call.method).uri(url);
    call.headers.iter().fold(builder, |builder, (name, value)| builder.header(*name, *value))
}

fn payload(call: &Call) -> Payload {
    if call.streamed {
        Payload::Streamed(chunks(call).boxed_unsync())
    } else {
        Payload::Whole(call.body.clone().into())
    }
}

fn chunks(call: &Call) -> Chunks {
    let (first, second) = call.body.split_at(call.body.len() / 2);
    Chunks::new([first, second])
}

fn context(pin: Option<&str>, within_seconds: Option<u64>) -> RequestContext {
    let mut context = RequestContext::new();
    if let Some(pin) = pin {
        context = context.with_pin(pin);
    }
    match within_seconds {
        Some(seconds) => context.with_timeout(Duration::from_secs(seconds)),
        None => context,
    }
}

fn log(context: &RequestContext) -> Vec<String> {
    let attempts = context.attempts().into_iter();
    attempts
        .map(|attempt| {
            let credential = attempt.credential.map_or("-".to_owned(), |id| id.to_string());
            format!(
                "{credential} {}",
                attempt.verdict.map_or("open".to_owned(), |verdict| format!("{:?}", verdict.kind()))
            )
        })
        .collect()
}

async fn came(result: Result<Response<MarathonBody<Incoming>>, BoxError>) -> Came {
    match result {
        Ok(answer) => {
            let (head, body) = answer.into_parts();
            Came::Answer(head.status, head.headers, body.collect().await.ok().map(http_body_util::Collected::to_bytes))
        }
        Err(error) => failed(&*error),
    }
}

fn failed(error: &(dyn std::error::Error + 'static)) -> Came {
    match Error::find(error) {
        Some(ours) => Came::Ours(format!("{:?}", ours.kind())),
        None => Came::Foreign(format!("{error:?}")),
    }
}
