//! Upgrades: a 101 passes through untouched, and a 429 on the handshake moves on.

use bytes::Bytes;
use http::header::{CONNECTION, UPGRADE};
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use oauth_marathon::clients::HttpClient;
use oauth_marathon::config::Resend;
use oauth_marathon::{BoxError, MarathonLayer, RequestContext};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tower::{Service, ServiceBuilder, ServiceExt};

use crate::support::raw::bearer;
use crate::support::server::{self, Answer, Server, answer, client, pool, state_of, within};

/// Limits the token `limited`, and for the others turns the connection into one that sends back what it gets, backwards.
async fn handshake(request: Request<Incoming>) -> Answer {
    assert_eq!(
        (&request.headers()[CONNECTION], &request.headers()[UPGRADE]),
        (&"upgrade".parse().unwrap(), &"mirror".parse().unwrap())
    );
    if bearer(request.headers()) == "limited" {
        return answer(429, "slow down");
    }
    tokio::spawn(async move {
        let mut stream = TokioIo::new(hyper::upgrade::on(request).await.unwrap());
        let mut four = [0; 4];
        while stream.read_exact(&mut four).await.is_ok() {
            four.reverse();
            stream.write_all(&four).await.unwrap();
        }
    });
    let mut switching = answer(101, "");
    switching.headers_mut().insert(CONNECTION, "upgrade".parse().unwrap());
    switching.headers_mut().insert(UPGRADE, "mirror".parse().unwrap());
    switching.headers_mut().insert("x-session", "7".parse().unwrap());
    switching
}

fn request(origin: &str) -> Request<Full<Bytes>> {
    let request = Request::get(format!("{origin}/realtime")).header(CONNECTION, "upgrade").header(UPGRADE, "mirror");
    request.body(Full::default()).unwrap()
}

/// Upgrades over `client` and talks both ways.
async fn upgrades<C, B>(client: C, tokens: &[&str])
where
    C: Service<Request<Full<Bytes>>, Response = Response<B>, Error: Into<BoxError>> + Clone,
    B: http_body::Body<Error: Into<BoxError>>,
{
    let server = Server::start(handshake).await;
    let pool = pool(&server.origin(), tokens, Resend::Safe);
    let stack = ServiceBuilder::new().layer(MarathonLayer::new(pool.clone())).service(client);
    let answer = stack.oneshot(request(&server.origin())).await.unwrap();
    assert_eq!(
        (answer.status(), &answer.headers()["x-session"]),
        (StatusCode::SWITCHING_PROTOCOLS, &"7".parse().unwrap())
    );
    assert_eq!(server.log.tokens(), tokens);
    let used = tokens.last().unwrap();
    // The answer is still there, and its connection will live for long.
    assert_eq!((state_of(&pool, used).in_flight, state_of(&pool, used).successes), (0, 1));
    if tokens.len() > 1 {
        assert_eq!(RequestContext::of(answer.extensions()).unwrap().attempts().len(), 2);
        assert_eq!((state_of(&pool, tokens[0]).failures, state_of(&pool, tokens[0]).in_flight), (1, 0));
    }

    let mut stream = TokioIo::new(hyper::upgrade::on(answer).await.unwrap());
    for (said, heard) in [(b"ping", b"gnip"), (b"1234", b"4321")] {
        stream.write_all(said).await.unwrap();
        let mut four = [0; 4];
        stream.read_exact(&mut four).await.unwrap();
        assert_eq!(&four, heard);
    }
    assert_eq!(state_of(&pool, used).failures, 0);
}

#[tokio::test]
async fn bytes_flow_both_ways_after_a_101() {
    within(async {
        upgrades(client(false), &["free"]).await;
        upgrades(HttpClient::new().unwrap(), &["free"]).await;
    })
    .await;
}

#[tokio::test]
async fn a_429_on_the_handshake_moves_on_to_the_next_credential_which_gets_the_upgrade() {
    within(async {
        upgrades(client(false), &["limited", "free"]).await;
        upgrades(HttpClient::new().unwrap(), &["limited", "free"]).await;
    })
    .await;
}

#[tokio::test]
async fn a_handshake_that_nobody_may_make_is_answered_with_the_last_429_and_its_body() {
    within(async {
        let server = Server::start(handshake).await;
        let pool = pool(&server.origin(), &["limited"], Resend::Always);
        let stack = ServiceBuilder::new().layer(MarathonLayer::new(pool)).service(client(false));
        let answer = stack.oneshot(request(&server.origin())).await.unwrap();
        assert_eq!(server::read(answer).await.unwrap(), (StatusCode::TOO_MANY_REQUESTS, Bytes::from("slow down")));
    })
    .await;
}
