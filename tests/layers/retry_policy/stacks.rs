//! The two stacks, and the outcome of one request through each.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::{BodyExt, Full};
use oauth_marathon::config::Settings;
use oauth_marathon::context::{Attempt, Next};
use oauth_marathon::layers::classify::ClassifyLayer;
use oauth_marathon::layers::credential::CredentialLayer;
use oauth_marathon::layers::notify::NotifyLayer;
use oauth_marathon::layers::retry::{RetryLayer, RetryPolicy};
use oauth_marathon::tokens::refresh::{RefreshRequest, token_source_fn};
use oauth_marathon::verdict::Verdict;
use oauth_marathon::{BoxError, Credential, Pool, RequestContext, Secret, TokenSet};
use oauth_marathon_test::{ProbeLayer, Reply, ScriptedProvider};
use tower::{Service, ServiceBuilder, ServiceExt};

/// A case: the settings, and the answers to each token.
#[derive(Clone)]
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) scripts: Vec<(&'static str, Vec<Reply>)>,
    pub(crate) settings: Settings,
    pub(crate) method: Method,
    pub(crate) timeout: Option<Duration>,
    pub(crate) pin: Option<&'static str>,
    /// How many requests go through the same stack, one after another.
    pub(crate) requests: usize,
}

impl Case {
    pub(crate) fn new(name: &'static str, scripts: Vec<(&'static str, Vec<Reply>)>) -> Self {
        let settings = Settings::default();
        Self { name, scripts, settings, method: Method::POST, timeout: None, pin: None, requests: 1 }
    }

    pub(crate) fn settings(mut self, set: impl FnOnce(&mut Settings)) -> Self {
        set(&mut self.settings);
        self
    }
}

/// Number, round, credential, verdict and what could come next.
type Entry = (u32, u32, Option<String>, Option<Verdict>, &'static str);

/// What both stacks have to do alike.
#[derive(Debug, PartialEq)]
pub(crate) struct Run {
    /// The token of each send.
    pub(crate) sends: Vec<String>,
    /// Each attempt of each request.
    pub(crate) attempts: Vec<Entry>,
    /// Status and body of each answer, or the text of the error.
    pub(crate) answers: Vec<Result<(u16, String), String>>,
    /// Whether each answer carries the report of its attempts.
    pub(crate) reported: Vec<bool>,
}

/// Three accounts: one whose token can be refreshed once, a key, and a token without a refresh token.
pub(crate) fn pool(settings: &Settings) -> Pool {
    Pool::builder("openai")
        .origin("https://api.example.com")
        .credential(Credential::new("a", TokenSet::new("a1").with_refresh("refresh")))
        .credential(Credential::new("b", Secret::new("b1")))
        .credential(Credential::new("c", TokenSet::new("c1")))
        .token_source(token_source_fn(async |_: RefreshRequest| Ok(TokenSet::new("a2").with_refresh("refresh"))))
        .settings(settings.clone())
        .build()
        .unwrap()
}

pub(crate) async fn through_ours(case: &Case) -> Run {
    ours(case, &pool(&case.settings)).await
}

pub(crate) async fn through_tower(case: &Case) -> Run {
    towers(case, &pool(&case.settings)).await
}

pub(crate) async fn ours(case: &Case, pool: &Pool) -> Run {
    let provider = provider(case);
    let client = ServiceBuilder::new()
        .layer(NotifyLayer::new())
        .layer(RetryLayer::for_pool(pool))
        .layer(CredentialLayer::new(pool.clone()))
        .layer(ClassifyLayer::new())
        .layer(ProbeLayer::new())
        .service(provider.clone());
    run(case, client, &provider).await
}

pub(crate) async fn towers(case: &Case, pool: &Pool) -> Run {
    let provider = provider(case);
    let client = ServiceBuilder::new()
        .layer(NotifyLayer::new())
        .layer(tower::retry::RetryLayer::new(RetryPolicy::for_pool(pool)))
        .layer(CredentialLayer::new(pool.clone()))
        .layer(ClassifyLayer::new())
        .layer(ProbeLayer::new())
        .service(provider.clone());
    run(case, client, &provider).await
}

fn provider(case: &Case) -> ScriptedProvider {
    let scripts = case.scripts.iter().cloned();
    scripts.fold(ScriptedProvider::new(), |provider, (token, replies)| provider.on(token, replies))
}

async fn run<S, RB>(case: &Case, client: S, provider: &ScriptedProvider) -> Run
where
    S: Service<Request<Full<Bytes>>, Response = Response<RB>, Error = BoxError> + Clone,
    RB: http_body::Body<Data = Bytes, Error: std::fmt::Debug>,
{
    // The pause before a repeat is drawn.
    fastrand::seed(1);
    let mut run = Run { sends: Vec::new(), attempts: Vec::new(), answers: Vec::new(), reported: Vec::new() };
    for _ in 0..case.requests {
        let mut context = RequestContext::new();
        if let Some(timeout) = case.timeout {
            context = context.with_timeout(timeout);
        }
        if let Some(pin) = case.pin {
            context = context.with_pin(pin);
        }
        let request = Request::builder()
            .method(case.method.clone())
            .uri("https://api.example.com/v1/chat")
            .extension(context.clone())
            .body(Full::from("{}"))
            .unwrap();
        let answer = match client.clone().oneshot(request).await {
            Ok(answer) => {
                run.reported.push(RequestContext::of(answer.extensions()).is_some());
                let status = answer.status().as_u16();
                let body = answer.into_body().collect().await.unwrap().to_bytes();
                Ok((status, String::from_utf8(body.to_vec()).unwrap()))
            }
            Err(error) => Err(error.to_string()),
        };
        run.answers.push(answer);
        run.attempts.extend(context.attempts().iter().map(entry));
    }
    run.sends = provider.tokens();
    run
}

fn entry(attempt: &Attempt) -> Entry {
    let next = match attempt.next {
        None => "",
        Some(Next::Same) => "same",
        Some(Next::Now) => "now",
        Some(Next::At(_)) => "at",
        Some(_) => "never",
    };
    let credential = attempt.credential.as_ref().map(ToString::to_string);
    (attempt.number, attempt.round, credential, attempt.verdict, next)
}
