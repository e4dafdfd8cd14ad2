//! Broken HTTP/1.1 connections: what is sent again, what is not, and whose fault it counts as.

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use oauth_marathon::clients::HttpClient;
use oauth_marathon::config::{Resend, Settings};
use oauth_marathon::pool::Standing;
use oauth_marathon::verdict::{Kind, Processed};
use oauth_marathon::{Credential, MarathonLayer, Pool, RequestContext, TokenSet};
use tokio::sync::{Mutex, mpsc};
use tower::{ServiceBuilder, ServiceExt};

use crate::support::raw::{Peer, RawServer, dead_address};
use crate::support::server::{client, pool, post, read, state_of, within};

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// How the first connection breaks.
#[derive(Debug, Clone, Copy)]
enum Break {
    /// A reset after the whole request was read.
    Reset,
    /// A proper end, without an answer.
    End,
    /// Half a head, and then the end.
    HalfAHead,
}

async fn breaking(how: Break) -> RawServer {
    RawServer::start(move |number, mut peer: Peer| async move {
        while peer.request().await.is_some() {
            match how {
                _ if number > 1 => peer.write(OK).await,
                Break::Reset => return peer.reset(),
                Break::End => return,
                Break::HalfAHead => return peer.write("HTTP/1.1 200 OK\r\nconte").await,
            }
        }
    })
    .await
}

fn keyed(origin: &str) -> Request<Full<Bytes>> {
    let mut request = post(origin);
    request.headers_mut().insert("idempotency-key", "k1".parse().unwrap());
    request
}

fn put(origin: &str) -> Request<Full<Bytes>> {
    let mut request = post(origin);
    *request.method_mut() = Method::PUT;
    request
}

#[tokio::test]
async fn a_request_whose_answer_is_lost_is_sent_again_or_with_safe_only_if_twice_does_no_harm() {
    within(async {
        type Make = fn(&str) -> Request<Full<Bytes>>;
        let requests: [(&str, Make, bool); 3] =
            [("POST", post, false), ("POST with key", keyed, true), ("PUT", put, true)];
        for how in [Break::Reset, Break::End, Break::HalfAHead] {
            for (name, make, harmless) in requests {
                for resend in [Resend::Always, Resend::Safe] {
                    let what = format!("{how:?}, {name}, {resend:?}");
                    let server = breaking(how).await;
                    let pool = pool(&server.origin(), &["a", "b"], resend);
                    let context = RequestContext::new();
                    let stack = ServiceBuilder::new().layer(MarathonLayer::new(pool.clone())).service(client(false));
                    let result = context.clone().scope(stack.oneshot(make(&server.origin()))).await;

                    let again = harmless || resend == Resend::Always;
                    match result {
                        Ok(answer) => assert_eq!(read(answer).await.unwrap().1, "ok", "{what}"),
                        Err(error) => assert!(!again, "{what}: {error}"),
                    }
                    let tokens = if again { vec!["a", "a"] } else { vec!["a"] };
                    assert_eq!(server.log.tokens(), tokens, "{what}");
                    let first = context.attempts()[0].verdict.unwrap();
                    assert_eq!((first.kind(), first.processed()), (Kind::Network, Processed::Maybe), "{what}");
                    let a = state_of(&pool, "a");
                    assert_eq!((a.failures, a.successes, a.in_flight), (1, u64::from(again), 0), "{what}");
                    assert_eq!(a.standing, Standing::Ready, "a shared origin is not the credential's fault: {what}");
                }
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_refused_connection_is_tried_again_and_then_left_for_the_next_credential_also_with_safe() {
    within(async {
        for resend in [Resend::Always, Resend::Safe] {
            let live = breaking(Break::End).await;
            drop(tokio::net::TcpStream::connect(live.address).await.unwrap());
            let mut settings = Settings::default();
            settings.resend = resend;
            let dead = format!("http://{}", dead_address().await);
            let pool = Pool::builder("test")
                .origin(live.origin())
                .settings(settings)
                .credential(Credential::new("dead", TokenSet::new("dead")).base_url(dead))
                .credential(Credential::new("live", TokenSet::new("live")))
                .build()
                .unwrap();
            while live.log.connections() == 0 {
                tokio::task::yield_now().await;
            }
            let stack =
                ServiceBuilder::new().layer(MarathonLayer::new(pool.clone())).service(HttpClient::new().unwrap());
            let answer = stack.oneshot(post(&live.origin())).await.unwrap();
            let attempts = RequestContext::of(answer.extensions()).unwrap().attempts();
            let verdict = |at: usize| attempts[at].verdict.unwrap();
            assert_eq!((verdict(0).kind(), verdict(0).processed()), (Kind::Network, Processed::No));
            assert_eq!(
                attempts.iter().map(|attempt| attempt.credential.as_ref().unwrap().as_str()).collect::<Vec<_>>(),
                ["dead", "dead", "live"]
            );
            assert_eq!(read(answer).await.unwrap().1, "ok");
            let dead = state_of(&pool, "dead");
            assert_eq!(dead.failures, 2);
            assert!(matches!(dead.standing, Standing::Cooling { cause: Kind::Network, .. }), "{:?}", dead.standing);
            assert_eq!(live.log.tokens(), ["live"]);
        }
    })
    .await;
}

#[tokio::test]
async fn when_nobody_can_be_reached_the_caller_gets_the_clients_own_error() {
    within(async {
        let dead = format!("http://{}", dead_address().await);
        let pool = pool(&dead, &["a", "b"], Resend::Safe);
        let context = RequestContext::new();
        let stack = ServiceBuilder::new().layer(MarathonLayer::new(pool.clone())).service(client(false));
        let error = context.clone().scope(stack.oneshot(post(&dead))).await.unwrap_err();
        assert!(error.downcast_ref::<hyper_util::client::legacy::Error>().unwrap().is_connect());
        assert_eq!(context.attempts().len(), 4);
        assert_eq!((state_of(&pool, "a").failures, state_of(&pool, "b").failures), (2, 2));
    })
    .await;
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_an_error_to_its_reader_and_is_never_sent_for_again() {
    within(async {
        let framings = ["content-length: 100\r\n\r\nhello", "transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n"];
        for (framing, resend) in framings.into_iter().flat_map(|f| [Resend::Always, Resend::Safe].map(|r| (f, r))) {
            for reset in [false, true] {
                let (read_by_client, client_has_read) = mpsc::channel::<()>(1);
                let client_has_read = Arc::new(Mutex::new(client_has_read));
                let server = RawServer::start(move |_, mut peer| {
                    let client_has_read = client_has_read.clone();
                    async move {
                        peer.request().await.unwrap();
                        peer.write(format!("HTTP/1.1 200 OK\r\n{framing}")).await;
                        client_has_read.lock().await.recv().await.unwrap();
                        if reset {
                            peer.reset();
                        }
                    }
                })
                .await;
                let pool = pool(&server.origin(), &["a", "b"], resend);
                let stack = ServiceBuilder::new().layer(MarathonLayer::new(pool.clone())).service(client(false));
                // Even of a request that could be sent again without harm.
                let mut body = stack.oneshot(put(&server.origin())).await.unwrap().into_body();
                assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "hello");
                assert_eq!((state_of(&pool, "a").failures, state_of(&pool, "a").in_flight), (0, 1));
                read_by_client.send(()).await.unwrap();
                body.frame().await.unwrap().unwrap_err();

                let a = state_of(&pool, "a");
                assert_eq!((a.successes, a.failures, a.in_flight), (1, 1, 0), "{framing:?}, {resend:?}, reset {reset}");
                assert_eq!(a.standing, Standing::Ready);
                assert_eq!(server.log.tokens(), ["a"]);
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_429_whose_body_breaks_off_moves_on_all_the_same_and_the_last_one_is_passed_on_as_it_came() {
    within(async {
        for tokens in [&["a", "b"][..], &["a"]] {
            let server = RawServer::start(|_, mut peer| async move {
                while let Some(request) = peer.request().await {
                    if crate::support::raw::bearer(request.headers()) == "b" {
                        peer.write(OK).await;
                        continue;
                    }
                    return peer.write("HTTP/1.1 429 Too Many Requests\r\ncontent-length: 100\r\n\r\nslow").await;
                }
            })
            .await;
            let pool = pool(&server.origin(), tokens, Resend::Safe);
            let stack = ServiceBuilder::new().layer(MarathonLayer::new(pool.clone())).service(client(false));
            let answer = stack.oneshot(post(&server.origin())).await.unwrap();
            if tokens.len() == 2 {
                assert_eq!(answer.status(), 200);
            } else {
                assert_eq!(answer.status(), 429);
                let mut body = answer.into_body();
                assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "slow");
                body.frame().await.unwrap().unwrap_err();
            }
            assert_eq!(server.log.tokens(), tokens);
            assert_eq!(state_of(&pool, "a").failures, 1);
        }
    })
    .await;
}

#[tokio::test]
async fn a_kept_connection_that_was_closed_costs_nothing_and_one_that_closes_on_the_request_is_a_lost_answer() {
    within(async {
        for (closes_before, resend) in
            [(true, Resend::Always), (true, Resend::Safe), (false, Resend::Always), (false, Resend::Safe)]
        {
            let (close, closed) = mpsc::channel::<()>(1);
            let (tell, mut is_closed) = mpsc::channel::<()>(1);
            let closed = Arc::new(Mutex::new(closed));
            let server = RawServer::start(move |number, mut peer| {
                let (closed, tell) = (closed.clone(), tell.clone());
                async move {
                    while peer.request().await.is_some() {
                        peer.write(OK).await;
                        if number == 1 && closes_before {
                            closed.lock().await.recv().await.unwrap();
                            drop(peer);
                            return tell.send(()).await.unwrap();
                        } else if number == 1 {
                            peer.request().await;
                            return;
                        }
                    }
                }
            })
            .await;
            let pool = pool(&server.origin(), &["a", "b"], resend);
            let stack = ServiceBuilder::new().layer(MarathonLayer::new(pool.clone())).service(client(false));
            assert_eq!(read(stack.clone().oneshot(post(&server.origin())).await.unwrap()).await.unwrap().1, "ok");
            if closes_before {
                close.send(()).await.unwrap();
                is_closed.recv().await.unwrap();
                // The end has arrived; each turn lets the client's connection look at its socket.
                for _ in 0..100 {
                    tokio::task::yield_now().await;
                }
            }
            let second = stack.oneshot(post(&server.origin())).await;
            let lost = !closes_before && resend == Resend::Safe;
            assert_eq!(second.is_err(), lost, "{closes_before}, {resend:?}");
            let sends = if closes_before || lost { 2 } else { 3 };
            assert_eq!(server.log.heads().len(), sends, "{closes_before}, {resend:?}");
            assert_eq!(state_of(&pool, "a").failures, u64::from(!closes_before), "{closes_before}, {resend:?}");
        }
    })
    .await;
}
