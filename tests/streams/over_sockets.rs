//! Streamed answers over HTTP/1.1 and HTTP/2: every event at once, nothing merged, nothing lost, and an honest end.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Full};
use oauth_marathon::config::Resend;
use oauth_marathon::pool::Standing;
use oauth_marathon::{Marathon, MarathonLayer, Pool};
use tokio::sync::mpsc;
use tower::{ServiceBuilder, ServiceExt};

use crate::support::raw::RawServer;
use crate::support::server::{Answer, HyperClient, Server, client, pool, post, state_of, within};

fn stack(pool: &Pool, http2: bool) -> Marathon<HyperClient> {
    ServiceBuilder::new().layer(MarathonLayer::new(pool.clone())).service(client(http2))
}

/// A body whose frames are sent through a channel.
struct Channel(mpsc::UnboundedReceiver<Frame<Bytes>>);

impl Body for Channel {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(cx).map(|frame| frame.map(Ok))
    }
}

/// A server that streams what the test sends it, and the sender of that.
async fn streaming() -> (Server, mpsc::UnboundedSender<Frame<Bytes>>) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let receiver = Arc::new(Mutex::new(Some(receiver)));
    let server = Server::start(move |_| {
        let body = Channel(receiver.lock().unwrap().take().expect("one request only"));
        async move {
            let answer: Answer = Response::new(BodyExt::boxed(body));
            let (mut head, body) = answer.into_parts();
            head.headers.insert("content-type", "text/event-stream".parse().unwrap());
            head.headers.insert("trailer", "x-checksum".parse().unwrap());
            Response::from_parts(head, body)
        }
    })
    .await;
    (server, sender)
}

fn ask(origin: &str) -> Request<Full<Bytes>> {
    let mut request = post(origin);
    request.headers_mut().insert("te", "trailers".parse().unwrap());
    request
}

#[tokio::test]
async fn each_event_arrives_before_the_next_is_sent_and_the_trailers_come_last() {
    within(async {
        for http2 in [false, true] {
            let (server, sender) = streaming().await;
            let pool = pool(&server.origin(), &["a", "b"], Resend::Always);
            let event = |number: usize| Bytes::from(format!("id: {number}\ndata: {}\n\n", "x".repeat(number * 7)));
            // The head waits for the first content.
            sender.send(Frame::data(event(1))).unwrap();
            let answer = stack(&pool, http2).oneshot(ask(&server.origin())).await.unwrap();
            assert_eq!(answer.headers()["content-type"], "text/event-stream");
            let mut body = answer.into_body();
            for number in 1..50 {
                let event = event(number);
                if number > 1 {
                    sender.send(Frame::data(event.clone())).unwrap();
                }
                // Only this one has been sent: it has to be handed on without waiting for more.
                assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), event, "http2: {http2}");
                assert_eq!((state_of(&pool, "a").in_flight, state_of(&pool, "a").successes), (1, 1));
                assert!(!body.is_end_stream());
            }
            let trailers: HeaderMap =
                [("x-checksum".parse().unwrap(), "c0ffee".parse().unwrap())].into_iter().collect();
            sender.send(Frame::trailers(trailers.clone())).unwrap();
            drop(sender);
            assert_eq!(body.frame().await.unwrap().unwrap().into_trailers().unwrap(), trailers);
            assert!(body.frame().await.is_none());
            let a = state_of(&pool, "a");
            assert_eq!((a.in_flight, a.failures, a.successes), (0, 0, 1));
            assert_eq!(server.log.tokens(), ["a"]);
        }
    })
    .await;
}

#[tokio::test]
async fn a_reader_that_leaves_half_way_frees_the_credential_and_blames_nobody() {
    within(async {
        for http2 in [false, true] {
            let (server, sender) = streaming().await;
            let pool = pool(&server.origin(), &["a", "b"], Resend::Always);
            sender.send(Frame::data(Bytes::from("data: 1\n\n"))).unwrap();
            let mut body = stack(&pool, http2).oneshot(ask(&server.origin())).await.unwrap().into_body();
            body.frame().await.unwrap().unwrap();
            assert_eq!(state_of(&pool, "a").in_flight, 1);
            drop(body);
            let a = state_of(&pool, "a");
            assert_eq!((a.in_flight, a.failures, a.successes, a.standing), (0, 0, 1, Standing::Ready));
            // The server sees it as well.
            sender.closed().await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_stream_that_is_cut_off_ends_in_an_error_and_a_complete_one_does_not() {
    within(async {
        const EVENT: &str = "data: 1\n\n";
        let cases = [
            ("transfer-encoding: chunked\r\n\r\n9\r\ndata: 1\n\n\r\n", false),
            ("transfer-encoding: chunked\r\n\r\n9\r\ndata: 1\n\n\r\n0\r\n", false),
            ("transfer-encoding: chunked\r\n\r\n9\r\ndata: 1\n\n\r\n5\r\nda", false),
            ("content-length: 30\r\n\r\ndata: 1\n\n", false),
            ("transfer-encoding: chunked\r\n\r\n9\r\ndata: 1\n\n\r\n0\r\n\r\n", true),
            ("content-length: 9\r\n\r\ndata: 1\n\n", true),
            // Without a length, the end of the connection is the end of the body (RFC 9112 section 6.3).
            ("connection: close\r\n\r\ndata: 1\n\n", true),
        ];
        for (answer, complete) in cases {
            let server = RawServer::start(move |_, mut peer| async move {
                peer.request().await.unwrap();
                peer.write(format!("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n{answer}")).await;
            })
            .await;
            let pool = pool(&server.origin(), &["a", "b"], Resend::Always);
            let mut body = stack(&pool, false).oneshot(post(&server.origin())).await.unwrap().into_body();
            let mut read = Vec::new();
            let end = loop {
                match body.frame().await {
                    Some(Ok(frame)) => read.extend_from_slice(&frame.into_data().unwrap()),
                    Some(Err(error)) => break Err(error),
                    None => break Ok(()),
                }
            };
            assert!(read.starts_with(EVENT.as_bytes()), "{answer:?}");
            assert_eq!(end.is_ok(), complete, "{answer:?}");
            let a = state_of(&pool, "a");
            assert_eq!((a.in_flight, a.failures, a.successes), (0, u64::from(!complete), 1), "{answer:?}");
            assert_eq!((a.standing, server.log.tokens()), (Standing::Ready, vec!["a".to_owned()]), "{answer:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn the_trailers_of_a_failed_answer_reach_the_caller_too() {
    within(async {
        let server = RawServer::start(|_, mut peer| async move {
            while peer.request().await.is_some() {
                let head = "HTTP/1.1 429 Slow\r\ntransfer-encoding: chunked\r\ntrailer: x-checksum\r\n\r\n";
                peer.write(format!("{head}4\r\nslow\r\n0\r\nx-checksum: c0ffee\r\n\r\n")).await;
            }
        })
        .await;
        let pool = pool(&server.origin(), &["a"], Resend::Always);
        let answer = stack(&pool, false).oneshot(ask(&server.origin())).await.unwrap();
        let read = answer.into_body().collect().await.unwrap();
        assert_eq!(read.trailers().unwrap()["x-checksum"], "c0ffee");
        assert_eq!(read.to_bytes(), "slow");
        assert_eq!(server.log.connections(), 1);
    })
    .await;
}
