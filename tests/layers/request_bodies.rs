//! Request bodies go out without a copy, and with their length on every attempt.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{Request, Response};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use oauth_marathon::MarathonLayer;
use oauth_marathon::config::Resend;
use oauth_marathon::layers::replay::{ReplayBody, ReplayLayer, ReplayableBody};
use tower::{ServiceBuilder, ServiceExt, service_fn};

use crate::support::raw::{RawServer, bearer};
use crate::support::server::{client, pattern, pool, read, within};
use crate::support::upload::Upload;

const ORIGIN: &str = "https://api.example.com";

/// Of each chunk of each attempt: where it lies in memory, and its length. And the lengths that were announced.
type Seen = Arc<Mutex<(Vec<(usize, usize)>, Vec<Option<u64>>)>>;

/// An in-process provider that answers 429 to all but the credential `c`.
fn provider<B>(
    seen: &Seen,
) -> impl tower::Service<Request<B>, Response = Response<Full<Bytes>>, Error = Infallible, Future: Send> + Clone
where
    B: Body<Data = Bytes, Error: std::fmt::Debug> + Send + Unpin + 'static,
{
    let seen = seen.clone();
    service_fn(move |request: Request<B>| {
        let seen = seen.clone();
        async move {
            let status = if bearer(request.headers()) == "c" { 200 } else { 429 };
            let mut body = request.into_body();
            seen.lock().unwrap().1.push(body.size_hint().exact());
            while let Some(frame) = body.frame().await {
                let chunk = frame.unwrap().into_data().unwrap();
                seen.lock().unwrap().0.push((chunk.as_ptr() as usize, chunk.len()));
            }
            Ok(Response::builder().status(status).body(Full::default()).unwrap())
        }
    })
}

#[tokio::test]
async fn a_full_body_is_the_same_memory_on_every_attempt() {
    let body = pattern(100_000);
    let seen = Seen::default();
    let pool = pool(ORIGIN, &["a", "b", "c"], Resend::Always);
    let stack = ServiceBuilder::new().layer(MarathonLayer::new(pool)).service(provider(&seen));
    let answer = stack.oneshot(Request::post(ORIGIN).body(Full::new(body.clone())).unwrap()).await.unwrap();
    assert_eq!(answer.status(), 200);
    let seen = seen.lock().unwrap();
    assert_eq!(seen.0, [(body.as_ptr() as usize, body.len()); 3]);
    assert_eq!(seen.1, [Some(100_000); 3]);
}

#[tokio::test]
async fn a_streamed_body_is_replayed_from_the_callers_own_memory_chunk_by_chunk() {
    let body = pattern(100_000);
    let seen = Seen::default();
    let pool = pool(ORIGIN, &["a", "b", "c"], Resend::Always);
    let layers = ServiceBuilder::new().layer(ReplayLayer::default()).layer(MarathonLayer::new(pool));
    let stack = layers.service(provider::<ReplayBody<Upload>>(&seen));
    let upload = Upload::new(&body, 30_000, true);
    assert_eq!(stack.oneshot(Request::post(ORIGIN).body(upload).unwrap()).await.unwrap().status(), 200);
    let at = body.as_ptr() as usize;
    let chunks = [(at, 30_000), (at + 30_000, 30_000), (at + 60_000, 30_000), (at + 90_000, 10_000)];
    let seen = seen.lock().unwrap();
    assert_eq!(seen.0, [chunks; 3].concat());
    assert_eq!(seen.1, [Some(100_000); 3]);
}

/// Sends `body` over a socket to a server that limits the first two credentials, and returns how it was announced each time.
async fn announced<B>(body: B, expected: Bytes) -> Vec<(Option<String>, bool)>
where
    B: ReplayableBody<Data: Send, Error: Into<oauth_marathon::BoxError>> + Send + Unpin + 'static,
{
    let server = RawServer::start(move |_, mut peer| {
        let expected = expected.clone();
        async move {
            while let Some(request) = peer.request().await {
                assert_eq!(*request.body(), expected);
                let status = if bearer(request.headers()) == "c" { "200 OK" } else { "429 Slow" };
                peer.write(format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n")).await;
            }
        }
    })
    .await;
    let pool = pool(&server.origin(), &["a", "b", "c"], Resend::Always);
    let stack = ServiceBuilder::new().layer(MarathonLayer::new(pool)).service(client(false));
    let answer = stack.oneshot(Request::post(format!("{}/", server.origin())).body(body).unwrap()).await.unwrap();
    assert_eq!(read(answer).await.unwrap().0, 200);
    assert_eq!(server.log.tokens(), ["a", "b", "c"]);
    let length = |head: &http::request::Parts| {
        head.headers.get(CONTENT_LENGTH).map(|length| length.to_str().unwrap().to_owned())
    };
    server.log.heads().iter().map(|head| (length(head), head.headers.contains_key(TRANSFER_ENCODING))).collect()
}

#[tokio::test]
async fn the_content_length_is_there_on_every_attempt_and_nothing_turns_chunked() {
    within(async {
        // An empty `Full` says that there is no body, and then hyper announces none.
        assert_eq!(
            announced(Full::<Bytes>::default(), Bytes::new()).await,
            [(None, false), (None, false), (None, false)]
        );
        for length in [1, 70_000] {
            let body = pattern(length);
            let expected = vec![(Some(length.to_string()), false); 3];
            assert_eq!(announced(Full::new(body.clone()), body.clone()).await, expected);
            for upload in [Upload::new(&body, 8_192, true), Upload::new(&body, 80_000, true)] {
                assert_eq!(announced(ReplayBody::new(upload, 1 << 20), body.clone()).await, expected, "{length}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_body_of_unknown_length_is_chunked_at_first_and_has_a_length_once_its_end_is_known() {
    within(async {
        let body = pattern(70_000);
        let announced = announced(ReplayBody::new(Upload::new(&body, 8_192, false), 1 << 20), body).await;
        assert_eq!(announced[0], (None, true));
        assert_eq!(announced[1..], [(Some("70000".to_owned()), false), (Some("70000".to_owned()), false)]);
    })
    .await;
}
