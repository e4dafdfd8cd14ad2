//! The stack over a plain reqwest client, and what is made of reqwest's errors.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use oauth_marathon::clients::reqwest::{RequestBody, ReqwestLayer, ReqwestService};
use oauth_marathon::layers::replay::ReplayLayer;
use oauth_marathon::verdict::{Kind, Processed};
use oauth_marathon::{BoxError, Credential, MarathonLayer, Pool, RequestContext, Secret};
use tower::{Service, ServiceBuilder, ServiceExt};

use crate::support::loopback::{
    Loopback, Raw, chunks, credential, for_ever, log, nobody, status, without_network_retries,
};

/// The attempts of a call that ended with an error, and the error.
async fn failed(client: reqwest::Client, url: &str, body: RequestBody) -> (RequestContext, BoxError) {
    let pool = Pool::builder("test")
        .origin(url.strip_suffix("/x").unwrap())
        .credential(Credential::new("work", Secret::new("work")));
    let pool = pool.settings(without_network_retries()).build().unwrap();
    let client = ServiceBuilder::new().layer(MarathonLayer::new(pool)).layer(ReqwestLayer::new()).service(client);
    let context = RequestContext::new();
    let request = Request::post(url).extension(context.clone()).body(body).unwrap();
    let error = client.oneshot(request).await.map(|answer| answer.status()).unwrap_err();
    (context, error)
}

#[tokio::test]
async fn the_stack_stands_on_a_plain_client() -> Result<(), BoxError> {
    let server = Loopback::refusing(&[("work", 429)]).await;
    let layer = MarathonLayer::new(server.pool(&["work", "home"]));
    let client = ServiceBuilder::new().layer(layer).layer(ReqwestLayer::new()).service(reqwest::Client::new());
    let url = server.url("/v1/chat?x=1");
    let answer = client.clone().oneshot(Request::post(&url).body(RequestBody::from("hello"))?).await?;
    assert_eq!(log(RequestContext::of(answer.extensions()).unwrap()).len(), 2);

    let answer = reqwest::Response::from(answer);
    assert_eq!((answer.url().as_str(), answer.remote_addr()), (url.as_str(), Some(server.address)));
    assert_eq!(answer.text().await?, "home says hello");

    let whole = Request::post(&url).body(Full::<Bytes>::from("whole"))?;
    let answer = client.oneshot(whole).await?.into_body().collect().await?.to_bytes();
    assert_eq!(answer, "home says whole");
    Ok(())
}

#[tokio::test]
async fn a_recorded_stream_is_sent_again() -> Result<(), BoxError> {
    let server = Loopback::refusing(&[("work", 429)]).await;
    let client = ServiceBuilder::new()
        .layer(ReplayLayer::new(1024))
        .layer(MarathonLayer::new(server.pool(&["work", "home"])))
        .layer(ReqwestLayer::new())
        .service(reqwest::Client::new());
    let answer = client.oneshot(Request::post(server.url("/")).body(chunks([Ok("one "), Ok("two")]))?).await?;
    assert_eq!(answer.into_body().collect().await?.to_bytes(), "home says one two");
    assert_eq!(server.tokens(), ["work", "home"]);
    Ok(())
}

#[tokio::test]
async fn the_timeout_of_a_request_goes_along_in_its_extensions() -> Result<(), BoxError> {
    let server = Loopback::start(|seen| async move {
        if seen.token() == "home" { status(200, "in time") } else { for_ever().await }
    })
    .await;
    let layer = MarathonLayer::new(server.pool_with(&["work", "home"], without_network_retries()));
    let client = ServiceBuilder::new().layer(layer).layer(ReqwestLayer::new()).service(reqwest::Client::new());
    let request = reqwest::Client::new().get(server.url("/")).timeout(Duration::from_secs(1)).build()?;
    let request = Request::<reqwest::Body>::try_from(request)?.map(RequestBody::from);
    assert_eq!(client.oneshot(request).await?.status(), 200);
    assert_eq!(server.tokens(), ["work", "home"]);
    Ok(())
}

/// Ready once, and never again.
#[derive(Clone)]
struct ReadyOnce(Arc<std::sync::atomic::AtomicBool>, reqwest::Client);

impl Service<reqwest::Request> for ReadyOnce {
    type Response = reqwest::Response;
    type Error = reqwest::Error;
    type Future = <reqwest::Client as Service<reqwest::Request>>::Future;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), reqwest::Error>> {
        let taken = self.0.swap(true, std::sync::atomic::Ordering::SeqCst);
        if taken { Poll::Pending } else { Poll::Ready(Ok(())) }
    }

    fn call(&mut self, request: reqwest::Request) -> Self::Future {
        self.1.call(request)
    }
}

#[tokio::test]
async fn it_is_ready_when_the_service_below_is() {
    let mut service = ReqwestService::new(ReadyOnce(Arc::default(), reqwest::Client::new()));
    let mut poll = || {
        let mut ready = tokio_test::task::spawn(ServiceExt::<Request<RequestBody>>::ready(&mut service));
        ready.poll().is_ready()
    };
    assert_eq!((poll(), poll()), (true, false));
}

#[tokio::test]
async fn a_limit_between_the_layers_and_the_client_is_kept_through_failover() -> Result<(), BoxError> {
    let server = Loopback::refusing(&[("work", 429)]).await;
    let client = ServiceBuilder::new()
        .layer(MarathonLayer::new(server.pool(&["work", "home"])))
        .layer(ReqwestLayer::new())
        .concurrency_limit(1)
        .service(reqwest::Client::new());
    let request = Request::post(server.url("/")).body(RequestBody::default())?;
    assert_eq!(client.oneshot(request).await?.status(), 200);
    Ok(())
}

#[tokio::test]
async fn a_client_with_middlewares_takes_the_place_of_the_plain_one() -> Result<(), BoxError> {
    let server = Loopback::refusing(&[("work", 429)]).await;
    let client = reqwest_middleware::ClientBuilder::new(reqwest::Client::new()).build();
    let layer = MarathonLayer::new(server.pool(&["work", "home"]));
    let client = ServiceBuilder::new().layer(layer).layer(ReqwestLayer::new()).service(client);
    let request = Request::get(server.url("/")).body(RequestBody::default())?;
    assert_eq!(client.oneshot(request).await?.status(), 200);
    Ok(())
}

#[tokio::test]
async fn errors_of_reqwest_are_known_for_what_they_are() -> Result<(), BoxError> {
    let server = Loopback::start(|_| for_ever()).await;
    let closing = Raw::writing("").await;
    let timeout = || reqwest::Client::builder().timeout(Duration::from_millis(200)).build();
    let refused = || std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
    let broken = RequestBody::stream(chunks([Ok("one"), Err(refused())]));
    let https_only = reqwest::Client::builder().https_only(true).build()?;
    let cases = [
        (
            "connect",
            reqwest::Client::new(),
            format!("http://{}/x", nobody().await),
            "hello".into(),
            Some(Processed::No),
        ),
        ("timeout", timeout()?, server.url("/x"), "hello".into(), Some(Processed::Maybe)),
        (
            "closed",
            reqwest::Client::new(),
            format!("http://{}/x", closing.address),
            "hello".into(),
            Some(Processed::Maybe),
        ),
        ("the caller's body", reqwest::Client::new(), server.url("/x"), broken, None),
        ("a request that reqwest does not make", https_only, server.url("/x"), "hello".into(), None),
    ];
    for (name, client, url, body, expected) in cases {
        let (context, error) = failed(client, &url, body).await;
        assert!(error.is::<reqwest::Error>(), "{name}: {error:?}");
        let attempts = context.attempts();
        let verdict = attempts[0].verdict.unwrap();
        let kind = match (name, expected) {
            (_, Some(_)) => Kind::Network,
            ("the caller's body", _) => Kind::Canceled,
            _ => Kind::Rejected,
        };
        assert_eq!((attempts.len(), verdict.kind()), (1, kind), "{name}: {error:?}");
        assert!(expected.is_none_or(|processed| verdict.processed() == processed), "{name}: {verdict:?}");
    }
    Ok(())
}

#[tokio::test]
async fn the_credential_is_in_use_until_the_body_ends() -> Result<(), BoxError> {
    let server = Loopback::refusing(&[]).await;
    let pool = server.pool(&["work"]);
    let layer = MarathonLayer::new(pool.clone());
    let client = ServiceBuilder::new().layer(layer).layer(ReqwestLayer::new()).service(reqwest::Client::new());
    let answer = client.oneshot(Request::get(server.url("/")).body(RequestBody::default())?).await?;
    assert_eq!(credential(&pool, "work").in_flight, 1);
    answer.into_body().collect().await?;
    assert_eq!(credential(&pool, "work").in_flight, 0);
    Ok(())
}

#[test]
fn its_types_can_be_shared_and_sent() {
    fn is_shared<T: Clone + Send + Sync + std::fmt::Debug + 'static>() {}
    fn is_sent<T: Send + Sync + std::fmt::Debug + 'static>() {}
    is_shared::<ReqwestLayer>();
    is_shared::<ReqwestService<reqwest::Client>>();
    is_sent::<RequestBody>();
    fn future_is_sent<S: Service<Request<RequestBody>, Future: Send + 'static>>() {}
    future_is_sent::<ReqwestService<reqwest::Client>>();
}
