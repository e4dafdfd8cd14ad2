//! Verdicts on errors of hyper-util's client, against real servers on loopback sockets.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::Request;
use http_body::Frame;
use http_body_util::{BodyExt, Full, combinators::BoxBody};
use hyper_util::client::legacy::{Client, Error, connect::HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::verdict::{Kind, Lost, Processed, transport};

type Body = BoxBody<Bytes, io::Error>;
type H2Connection = h2::server::Connection<TcpStream, Bytes>;

const NEVER_PROCESSED: (Kind, Processed) = (Kind::Network, Processed::No);
const MAYBE_PROCESSED: (Kind, Processed) = (Kind::Network, Processed::Maybe);
const CANCELED: (Kind, Processed) = (Kind::Canceled, Processed::Maybe);

fn full(text: &'static str) -> Body {
    Full::new(Bytes::from_static(text.as_bytes())).map_err(|never: Infallible| match never {}).boxed()
}

/// An empty SETTINGS frame.
const SETTINGS: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 0];
/// A SETTINGS frame that allows one stream at a time.
const ONE_STREAM: [u8; 15] = [0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 1];
/// A HEADERS frame that answers stream 1 with 200 and ends it.
const OK: [u8; 10] = [0, 0, 1, 1, 5, 0, 0, 0, 1, 0x88];

/// A GOAWAY frame (RFC 9113, 6.8).
fn goaway(last_id: u8, reason: h2::Reason) -> Vec<u8> {
    let head = [0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, last_id];
    [&head[..], &u32::from(reason).to_be_bytes()].concat()
}

/// Reads until the client has sent `text`.
async fn read_to(socket: &mut TcpStream, text: &[u8]) {
    let mut read = Vec::new();
    while !read.windows(text.len()).any(|window| window == text) {
        assert_ne!(socket.read_buf(&mut read).await.unwrap(), 0, "the client closed the connection");
    }
}

/// A body that gives one chunk and then fails, as a caller's own source may.
struct FailingBody(bool);

impl http_body::Body for FailingBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if std::mem::replace(&mut self.0, true) {
            // It looks like a failure to connect, but is not from our connection.
            return Poll::Ready(Some(Err(io::ErrorKind::ConnectionRefused.into())));
        }
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"begun")))))
    }
}

fn client(http2: bool) -> Client<HttpConnector, Body> {
    Client::builder(TokioExecutor::new()).http2_only(http2).build_http()
}

fn request(port: u16, body: Body) -> Request<Body> {
    Request::post(format!("http://127.0.0.1:{port}/")).body(body).unwrap()
}

fn judge(error: &(dyn std::error::Error + 'static)) -> (Kind, Processed) {
    let verdict = transport::verdict(error);
    (verdict.kind(), verdict.processed())
}

/// The outcome of one request to a server that handles one connection with `serve`.
async fn outcome<F>(http2: bool, body: Body, serve: impl FnOnce(TcpStream) -> F + Send + 'static) -> (Kind, Processed)
where
    F: Future<Output = ()> + Send + 'static,
{
    judge(&error_of(http2, body, serve).await)
}

/// Sends one request to a server that handles one connection with `serve`.
async fn error_of<F>(http2: bool, body: Body, serve: impl FnOnce(TcpStream) -> F + Send + 'static) -> Error
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = tokio::spawn(async move { serve(listener.accept().await.unwrap().0).await });
    let error = client(http2).request(request(port, body)).await.unwrap_err();
    server.await.unwrap();
    error
}

/// Accepts one h2 request and reads its body to the end.
async fn accept(connection: &mut H2Connection) -> h2::server::SendResponse<Bytes> {
    let (request, respond) = connection.accept().await.unwrap().unwrap();
    let mut body = request.into_body();
    tokio::select! {
        () = async { while let Some(Ok(_)) = body.data().await {} } => respond,
        _ = std::future::poll_fn(|cx| connection.poll_closed(cx)) => panic!("the client closed the connection"),
    }
}

async fn h2_resets_with(reason: h2::Reason) -> (Kind, Processed) {
    outcome(true, full("hello"), move |socket| async move {
        let mut connection = h2::server::handshake(socket).await.unwrap();
        accept(&mut connection).await.send_reset(reason);
        while connection.accept().await.is_some() {}
    })
    .await
}

#[tokio::test]
async fn a_refused_port_was_never_processed() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let error = client(false).request(request(port, full("hello"))).await.unwrap_err();
    assert_eq!(judge(&error), NEVER_PROCESSED);
}

#[tokio::test]
async fn an_h1_connection_that_ends_after_the_request_was_read_may_have_been_processed() {
    let judged = outcome(false, full("hello"), |mut socket| async move {
        read_to(&mut socket, b"hello").await;
    })
    .await;
    assert_eq!(judged, MAYBE_PROCESSED);
}

#[tokio::test]
async fn an_h1_answer_that_is_no_http_may_have_been_processed() {
    let judged = outcome(false, full("hello"), |mut socket| async move {
        read_to(&mut socket, b"hello").await;
        socket.write_all(b"nonsense\r\n\r\n").await.unwrap();
    })
    .await;
    assert_eq!(judged, MAYBE_PROCESSED);
}

#[tokio::test]
async fn a_failing_request_body_is_the_callers_over_h1_and_h2() {
    let h1 = outcome(false, FailingBody(false).boxed(), |mut socket| async move {
        let mut read = Vec::new();
        while socket.read_buf(&mut read).await.is_ok_and(|count| count > 0) {}
    });
    assert_eq!(h1.await, CANCELED);

    let h2 = outcome(true, FailingBody(false).boxed(), |socket| async move {
        let mut connection = h2::server::handshake(socket).await.unwrap();
        while connection.accept().await.is_some() {}
    });
    assert_eq!(h2.await, CANCELED);
}

#[tokio::test]
async fn of_h2_resets_only_refused_stream_says_never_processed() {
    assert_eq!(h2_resets_with(h2::Reason::REFUSED_STREAM).await, NEVER_PROCESSED);
    for reason in [h2::Reason::INTERNAL_ERROR, h2::Reason::CANCEL, h2::Reason::ENHANCE_YOUR_CALM] {
        assert_eq!(h2_resets_with(reason).await, MAYBE_PROCESSED, "{reason:?}");
    }
}

#[tokio::test]
async fn a_goaway_says_never_processed_above_its_last_id_only() {
    for reason in [h2::Reason::NO_ERROR, h2::Reason::ENHANCE_YOUR_CALM] {
        for (last_id, expected) in [(0, NEVER_PROCESSED), (1, MAYBE_PROCESSED)] {
            let judged = outcome(true, full("hello"), move |mut socket| async move {
                socket.write_all(&SETTINGS).await.unwrap();
                read_to(&mut socket, b"hello").await;
                socket.write_all(&goaway(last_id, reason)).await.unwrap();
            })
            .await;
            assert_eq!(judged, expected, "{reason:?}, last id {last_id}");
        }
    }
}

#[tokio::test]
async fn a_request_that_waits_for_its_h2_stream_when_the_connection_ends_is_not_the_callers_fault() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        socket.write_all(&ONE_STREAM).await.unwrap();
        read_to(&mut socket, b"first").await;
        socket.write_all(&OK).await.unwrap();
        read_to(&mut socket, b"hello").await;
    });
    let client = client(true);
    client.request(request(port, full("first"))).await.unwrap();
    let (open, waiting) =
        tokio::join!(client.request(request(port, full("hello"))), client.request(request(port, full("hello"))));
    server.await.unwrap();

    assert_eq!(judge(&open.unwrap_err()), MAYBE_PROCESSED);
    let waiting = waiting.unwrap_err();
    assert!(format!("{waiting:?}").contains("DispatchGone"), "{waiting:?}");
    assert_eq!(judge(&waiting), MAYBE_PROCESSED);
}

#[tokio::test]
async fn a_request_that_was_never_written_was_never_processed() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let socket = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(socket)).await.unwrap();
    drop(connection);

    let closed = sender.ready().await.unwrap_err();
    assert_eq!(judge(&closed), NEVER_PROCESSED);
    let canceled = sender.send_request(Request::new(full("hello"))).await.unwrap_err();
    assert!(canceled.is_canceled());
    assert_eq!(judge(&canceled), NEVER_PROCESSED);
}

#[tokio::test]
async fn only_a_connection_that_ended_can_have_been_an_old_one() {
    let lost = |error: &Error| transport::verdict(error).lost();
    let writes = |http2: bool, frames: Vec<u8>| {
        error_of(http2, full("hello"), move |mut socket| async move {
            if http2 {
                socket.write_all(&SETTINGS).await.unwrap();
            }
            read_to(&mut socket, b"hello").await;
            socket.write_all(&frames).await.unwrap();
        })
    };
    for (http2, frames, expected) in [
        (false, Vec::new(), Some(Lost::BeforeAnswer)),
        (false, b"nonsense\r\n\r\n".to_vec(), None),
        (true, Vec::new(), Some(Lost::BeforeAnswer)),
        (true, goaway(0, h2::Reason::NO_ERROR), Some(Lost::BeforeAnswer)),
        (true, goaway(0, h2::Reason::ENHANCE_YOUR_CALM), None),
    ] {
        let error = writes(http2, frames.clone()).await;
        assert_eq!(lost(&error), expected, "{http2}, {frames:?}: {error:?}");
    }
    let refused = error_of(true, full("hello"), |socket| async move {
        let mut connection = h2::server::handshake(socket).await.unwrap();
        accept(&mut connection).await.send_reset(h2::Reason::REFUSED_STREAM);
        while connection.accept().await.is_some() {}
    });
    assert_eq!(lost(&refused.await), None);
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let refused = client(false).request(request(nobody.port(), full("hello"))).await.unwrap_err();
    assert_eq!(lost(&refused), None);
}
