//! Streamed request bodies over HTTP/1.1: refused half-way, failing by themselves, or too large to be kept.

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::Request;
use oauth_marathon::config::Resend;
use oauth_marathon::layers::replay::{ReplayBody, ReplayLayer};
use oauth_marathon::pool::Standing;
use oauth_marathon::verdict::Kind;
use oauth_marathon::{MarathonLayer, Pool, RequestContext};
use tower::util::BoxCloneService;
use tower::{BoxError, ServiceBuilder, ServiceExt};

use crate::support::raw::{Peer, RawServer, bearer};
use crate::support::server::{self, HyperClient, client, pattern, pool, state_of, within};
use crate::support::upload::Upload;

type Client = HyperClient<ReplayBody<Upload>>;
type Stack = BoxCloneService<Request<Upload>, http::Response<Bytes>, BoxError>;

const CAP: usize = 1024 * 1024;

/// The stack with a replaying layer, whose answers are read at once.
fn stack(pool: &Pool, cap: usize, client: &Client) -> Stack {
    let layers = ServiceBuilder::new().layer(ReplayLayer::new(cap)).layer(MarathonLayer::new(pool.clone()));
    let and_read = |answer: http::Response<_>| async move {
        let (head, body) = answer.into_parts();
        let body = http_body_util::BodyExt::collect(body).await?.to_bytes();
        Ok::<_, BoxError>(http::Response::from_parts(head, body))
    };
    layers.service(client.clone()).and_then(and_read).boxed_clone()
}

fn post(origin: &str, round: usize, body: Upload) -> Request<Upload> {
    Request::post(format!("{origin}/upload")).header("x-round", round).body(body).unwrap()
}

/// What the server does after it has read a part of the first credential's upload.
#[derive(Debug, Clone, Copy, PartialEq)]
enum After {
    ReadOn,
    Close,
    Reset,
}

/// A complete upload: its round, its credential and its body.
type Received = Arc<Mutex<Vec<(usize, String, Bytes)>>>;

/// Refuses the uploads of `early` before they are complete, and takes all others. It opens `gate` when another one begins.
async fn refuse(mut peer: Peer, received: Received, gate: Arc<AtomicBool>) {
    while let Some(head) = peer.head().await {
        let (token, round) =
            (bearer(&head.headers), head.headers["x-round"].to_str().unwrap().parse::<usize>().unwrap());
        if token == "early" {
            let after = [After::ReadOn, After::Close, After::Reset][round % 3];
            peer.arrived(length(round) * (round / 3 % 5) / 6).await.unwrap();
            let close = if after == After::ReadOn { "" } else { "connection: close\r\n" };
            peer.write(format!("HTTP/1.1 429 Slow\r\nretry-after: 0\r\n{close}content-length: 4\r\n\r\nslow")).await;
            match after {
                After::ReadOn => {}
                After::Close => return,
                After::Reset => return peer.reset(),
            }
        }
        gate.fetch_or(token != "early", SeqCst);
        let Some(body) = peer.body(&head.headers).await else { return };
        received.lock().unwrap().push((round, token.clone(), body));
        if token != "early" {
            let text = format!("round {round}");
            peer.write(format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{text}", text.len())).await;
        }
    }
}

fn length(round: usize) -> usize {
    [1, 900, 20_000, 150_000, 600_000][round % 5 * 3 % 5] + round
}

#[tokio::test]
async fn an_upload_refused_half_way_is_replayed_byte_for_byte_or_not_at_all_and_harms_no_later_request() {
    within(async {
        let (received, gate) = (Received::default(), Arc::new(AtomicBool::new(false)));
        let server = {
            let (received, gate) = (received.clone(), gate.clone());
            RawServer::start(move |_, peer| refuse(peer, received.clone(), gate.clone())).await
        };
        let client = client(false);
        let (mut replayed, mut refused) = (0, 0);
        for round in 0..200 {
            let body = pattern(length(round));
            let sized = round % 2 == 0;
            let pool = pool(&server.origin(), &["early", "late"], Resend::Always);
            // Half of the uploads are still running for sure when they are refused.
            gate.store(round % 4 < 2, SeqCst);
            let upload = Upload::new(&body, 1 + body.len() / 10, sized).gated(&gate);
            let context = RequestContext::new();
            let call = stack(&pool, CAP, &client).oneshot(post(&server.origin(), round, upload));
            let result = context.clone().scope(call).await;
            match &result {
                Ok(answer) if answer.status() == 200 => {
                    assert_eq!(answer.body(), &format!("round {round}"));
                    replayed += 1;
                }
                Ok(answer) => {
                    assert_eq!((answer.status().as_u16(), &answer.body()[..]), (429, &b"slow"[..]), "round {round}");
                    let replayed =
                        context.attempts().iter().any(|attempt| *attempt.credential.as_ref().unwrap() == *"late");
                    assert!(!replayed, "round {round}: a replay that was begun did not come to its end");
                    refused += 1;
                }
                // The reset can overtake the answer.
                Err(error) => assert_eq!(round % 3, 2, "round {round}: {error:?}"),
            }
            gate.store(true, SeqCst);
            assert!(state_of(&pool, "early").failures > 0, "round {round}: {result:?}");
            assert_eq!((state_of(&pool, "early").in_flight, state_of(&pool, "late").in_flight), (0, 0));
            for (_, token, complete) in received.lock().unwrap().drain(..) {
                assert_eq!(complete.len(), body.len(), "round {round}, {token}");
                assert!(complete == body, "round {round}, {token}");
            }

            // The same connections serve what comes next.
            let pool = server::pool(&server.origin(), &["late"], Resend::Always);
            let next = post(&server.origin(), round, Upload::new(&pattern(10), 4, sized));
            let answer = stack(&pool, CAP, &client).oneshot(next).await.unwrap();
            assert_eq!((answer.status().as_u16(), &answer.body()[..]), (200, format!("round {round}").as_bytes()));
            received.lock().unwrap().clear();
        }
        assert!(replayed > 0 && refused > 0, "{replayed} replayed, {refused} refused");
    })
    .await;
}

#[tokio::test]
async fn a_body_that_fails_by_itself_is_the_callers_doing_and_nobody_elses() {
    within(async {
        for (resend, sized) in [Resend::Always, Resend::Safe].into_iter().flat_map(|r| [false, true].map(|s| (r, s))) {
            let server = RawServer::start(|_, mut peer| async move {
                while let Some(head) = peer.head().await {
                    assert_eq!(peer.body(&head.headers).await, None, "the body is never complete");
                }
            })
            .await;
            let pool = pool(&server.origin(), &["a", "b"], resend);
            let context = RequestContext::new();
            let upload = Upload::new(&pattern(100_000), 16 * 1024, sized).failing();
            let call = stack(&pool, CAP, &client(false)).oneshot(post(&server.origin(), 0, upload));
            let error = context.clone().scope(call).await.unwrap_err();

            let chain = std::iter::successors(Some(&*error as &dyn std::error::Error), |error| error.source());
            assert!(
                chain.into_iter().any(|error| error.to_string().contains("the caller's source failed")),
                "{error:?}"
            );
            let attempts = context.attempts();
            assert_eq!(attempts.len(), 1);
            assert_eq!(attempts[0].verdict.unwrap().kind(), Kind::Canceled);
            let a = state_of(&pool, "a");
            assert_eq!((a.failures, a.successes, a.in_flight, a.standing), (0, 0, 0, Standing::Ready));
            assert_eq!(pool.snapshot().credentials[0].id, "a", "the order is as it was");
            assert!(server.log.heads().len() <= 1);
        }
    })
    .await;
}

#[tokio::test]
async fn an_upload_over_the_replay_limit_arrives_whole_and_is_sent_once_and_the_pool_still_learns() {
    within(async {
        for sized in [false, true] {
            let body = pattern(256 * 1024);
            let received = Received::default();
            let seen = received.clone();
            let server = RawServer::start(move |_, mut peer| {
                let seen = seen.clone();
                async move {
                    while let Some(request) = peer.request().await {
                        let token = bearer(request.headers());
                        let status = if token == "a" { "429 Slow" } else { "200 OK" };
                        seen.lock().unwrap().push((0, token, request.into_body()));
                        peer.write(format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n")).await;
                    }
                }
            })
            .await;
            let pool = pool(&server.origin(), &["a", "b"], Resend::Always);
            let stack = stack(&pool, 64 * 1024, &client(false));
            let send = async |status: u16| {
                let upload = Upload::new(&body, 16 * 1024, sized);
                let answer = stack.clone().oneshot(post(&server.origin(), 0, upload)).await.unwrap();
                assert_eq!(answer.status(), status);
            };
            send(429).await;
            assert!(matches!(state_of(&pool, "a").standing, Standing::Cooling { cause: Kind::Throttled, .. }));
            send(200).await;
            let received = received.lock().unwrap();
            assert_eq!(received.iter().map(|(_, token, _)| token.as_str()).collect::<Vec<_>>(), ["a", "b"]);
            assert!(received.iter().all(|(_, _, complete)| *complete == body));
        }
    })
    .await;
}
