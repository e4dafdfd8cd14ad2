//! Failed answers are read to their end, so that their connection serves the next attempt; within bounds.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use oauth_marathon::clients::HttpClient;
use oauth_marathon::config::Resend;
use oauth_marathon::verdict::Scope;
use oauth_marathon::{MarathonLayer, Pool, RequestContext};
use tokio::sync::Semaphore;
use tower::{ServiceBuilder, ServiceExt};

use crate::support::raw::{Peer, RawServer};
use crate::support::server::{chunked, client, pattern, pool, post, read, within};

const LIMITED: &str = "HTTP/1.1 429 Too Many Requests\r\nretry-after: 0\r\n";
const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// How a 429 is written.
#[derive(Debug, Clone, Copy)]
struct Case {
    size: usize,
    /// The body follows the head after 2 ms, instead of with it.
    late: bool,
    chunked: bool,
}

impl Case {
    fn all() -> impl Iterator<Item = Self> {
        let late = |size| [false, true].map(|late| (size, late));
        let framed = |(size, late)| [false, true].map(|chunked| Self { size, late, chunked });
        [200, 16 * 1024, 64 * 1024].into_iter().flat_map(late).flat_map(framed)
    }

    async fn write(self, peer: &mut Peer) {
        let body = pattern(self.size);
        let (framing, body) = if self.chunked {
            ("transfer-encoding: chunked".to_owned(), chunked(&body, 8 * 1024))
        } else {
            (format!("content-length: {}", body.len()), body.to_vec())
        };
        let mut head = format!("{LIMITED}{framing}\r\n\r\n").into_bytes();
        if self.late {
            peer.write(&head).await;
            tokio::time::sleep(Duration::from_millis(2)).await;
            peer.write(&body).await;
        } else {
            head.extend_from_slice(&body);
            peer.write(&head).await;
        }
    }
}

/// Answers every request with 429, or every second one with 200.
async fn serve(case: Case, and_then_ok: bool) -> RawServer {
    let turns = Arc::new(AtomicUsize::new(0));
    RawServer::start(move |_, mut peer| {
        let turns = turns.clone();
        async move {
            while peer.request().await.is_some() {
                if and_then_ok && turns.fetch_add(1, Ordering::SeqCst) % 2 == 1 {
                    peer.write(OK).await;
                } else {
                    case.write(&mut peer).await;
                }
            }
        }
    })
    .await
}

/// Ends what the last 429 began, which real time would.
fn wake(pool: &Pool) {
    for id in ["a", "b"] {
        pool.clear(id, Scope::Credential);
    }
}

#[tokio::test]
async fn twenty_429s_that_are_each_followed_by_a_200_open_one_connection() {
    within(async {
        for case in Case::all() {
            let server = serve(case, true).await;
            let pool = pool(&server.origin(), &["a", "b"], Resend::Always);
            let stack = ServiceBuilder::new().layer(MarathonLayer::new(pool.clone())).service(client(false));
            for _ in 0..20 {
                wake(&pool);
                let answer = stack.clone().oneshot(post(&server.origin())).await.unwrap();
                assert_eq!(RequestContext::of(answer.extensions()).unwrap().attempts().len(), 2, "{case:?}");
                assert_eq!(read(answer).await.unwrap(), (http::StatusCode::OK, Bytes::from("ok")), "{case:?}");
            }
            assert_eq!((server.log.connections(), server.log.heads().len()), (1, 40), "{case:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn twenty_credentials_that_are_all_limited_in_one_request_share_one_connection() {
    within(async {
        for case in Case::all() {
            let server = serve(case, false).await;
            let names: Vec<_> = (0..20).map(|number| format!("account-{number}")).collect();
            let names: Vec<_> = names.iter().map(String::as_str).collect();
            let pool = pool(&server.origin(), &names, Resend::Always);
            let stack = ServiceBuilder::new().layer(MarathonLayer::new(pool)).service(client(false));
            let answer = stack.oneshot(post(&server.origin())).await.unwrap();
            assert_eq!(answer.status(), 429);
            assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), pattern(case.size), "{case:?}");
            assert_eq!(server.log.tokens(), names, "{case:?}");
            assert_eq!(server.log.connections(), 1, "{case:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn twenty_429s_that_reach_the_caller_open_one_connection_even_if_their_bodies_are_thrown_away() {
    within(async {
        for case in Case::all() {
            let server = serve(case, false).await;
            let pool = pool(&server.origin(), &["a"], Resend::Always);
            let stack =
                ServiceBuilder::new().layer(MarathonLayer::new(pool.clone())).service(HttpClient::new().unwrap());
            for _ in 0..20 {
                wake(&pool);
                let answer = stack.clone().oneshot(post(&server.origin())).await.unwrap();
                assert_eq!(answer.status(), 429);
            }
            assert_eq!((server.log.connections(), server.log.heads().len()), (1, 20), "{case:?}");
        }
    })
    .await;
}

/// With several threads, the connection may be on its way back to hyper-util's pool when the next attempt asks for one; the
/// client then opens a second one and keeps both. What must not be is one connection for each attempt.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_429s_on_several_threads_open_a_handful_of_connections() {
    within(async {
        for chunked in [false, true] {
            let server = serve(Case { size: 200, late: true, chunked }, true).await;
            let pool = pool(&server.origin(), &["a", "b"], Resend::Always);
            let stack = ServiceBuilder::new().layer(MarathonLayer::new(pool.clone())).service(client(false));
            for _ in 0..200 {
                wake(&pool);
                let answer = stack.clone().oneshot(post(&server.origin())).await.unwrap();
                assert_eq!(read(answer).await.unwrap().0, 200);
            }
            assert_eq!(server.log.heads().len(), 400);
            assert!(server.log.connections() <= 10, "{} connections", server.log.connections());
        }
    })
    .await;
}

/// Sends `now`, and `later` only when the semaphore lets it.
async fn two_parts(head: String, now: Bytes, later: Bytes, gate: Arc<Semaphore>) -> RawServer {
    RawServer::start(move |_, mut peer| {
        let (head, now, later, gate) = (head.clone(), now.clone(), later.clone(), gate.clone());
        async move {
            while let Some(request) = peer.request().await {
                if crate::support::raw::bearer(request.headers()) == "spare" {
                    peer.write(OK).await;
                    continue;
                }
                peer.write(&head).await;
                peer.write(&now).await;
                gate.acquire().await.unwrap().forget();
                peer.write(&later).await;
            }
        }
    })
    .await
}

#[tokio::test]
async fn a_body_over_the_byte_cap_is_handed_on_before_its_end_and_reaches_the_caller_byte_for_byte() {
    within(async {
        let body = pattern(1024 * 1024);
        let gate = Arc::new(Semaphore::new(0));
        let head = format!("{LIMITED}content-length: {}\r\n\r\n", body.len());
        let server = two_parts(head, body.slice(..256 * 1024), body.slice(256 * 1024..), gate.clone()).await;
        let pool = pool(&server.origin(), &["a"], Resend::Always);
        let stack = ServiceBuilder::new().layer(MarathonLayer::new(pool)).service(client(false));

        // What is left of the body is not even sent before the caller has its answer.
        let answer = stack.oneshot(post(&server.origin())).await.unwrap();
        assert_eq!(http_body::Body::size_hint(answer.body()).exact(), Some(body.len() as u64));
        gate.add_permits(1);
        let (status, read) = read(answer).await.unwrap();
        assert_eq!((status.as_u16(), read == body), (429, true), "{} bytes", read.len());
    })
    .await;
}

#[tokio::test]
async fn a_body_that_stalls_is_handed_on_and_its_remainder_still_reaches_the_caller() {
    within(async {
        for (framing, end) in
            [("content-length: 11", "world"), ("transfer-encoding: chunked", "5\r\nworld\r\n0\r\n\r\n")]
        {
            let gate = Arc::new(Semaphore::new(0));
            let begin = if end.starts_with('5') { "6\r\nhello \r\n" } else { "hello " };
            let head = format!("{LIMITED}{framing}\r\n\r\n");
            let server = two_parts(head, begin.into(), end.into(), gate.clone()).await;
            let pool = pool(&server.origin(), &["a"], Resend::Always);
            let stack = ServiceBuilder::new().layer(MarathonLayer::new(pool)).service(client(false));
            let answer = stack.oneshot(post(&server.origin())).await.unwrap();
            gate.add_permits(1);
            assert_eq!(read(answer).await.unwrap(), (http::StatusCode::TOO_MANY_REQUESTS, Bytes::from("hello world")));
        }
    })
    .await;
}

#[tokio::test]
async fn a_body_without_end_does_not_keep_the_request_from_the_next_credential() {
    within(async {
        let endless = format!("{LIMITED}transfer-encoding: chunked\r\n\r\n");
        let cases =
            [(endless.clone(), Bytes::from("1\r\n.\r\n")), (endless, chunked(&pattern(1024 * 1024), 4096).into())];
        for (head, now) in cases {
            // Without the end, and it never comes.
            let now = now.slice(..now.len().min(1024 * 1024 - 5));
            let gate = Arc::new(Semaphore::new(0));
            let server = two_parts(head, now, Bytes::new(), gate).await;
            let pool = pool(&server.origin(), &["a", "spare"], Resend::Always);
            let stack = ServiceBuilder::new().layer(MarathonLayer::new(pool)).service(client(false));
            let answer = stack.oneshot(post(&server.origin())).await.unwrap();
            assert_eq!(read(answer).await.unwrap(), (http::StatusCode::OK, Bytes::from("ok")));
            assert_eq!((server.log.connections(), server.log.tokens()), (2, vec!["a".to_owned(), "spare".to_owned()]));
        }
    })
    .await;
}
