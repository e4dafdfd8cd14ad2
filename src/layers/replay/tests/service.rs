//! The layer and the service, and a real client that sends one body twice.

use bytes::Bytes;
use http::Request;
use http_body::Body;
use http_body_util::Full;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_test::{assert_pending, assert_ready_ok};
use tower::{Layer, ServiceExt, service_fn};
use tower_test::mock;

use super::support::{Script, text};
use crate::error::BoxError;
use crate::layers::replay::{Replay, ReplayBody, ReplayLayer};
use crate::layers::replayable::ReplayableBody;

type Wrapped = Request<ReplayBody<Full<Bytes>>>;

#[tokio::test]
async fn readiness_and_calls_go_to_the_inner_service() {
    let (mut service, mut handle) = mock::spawn_layer::<Wrapped, &'static str, _>(ReplayLayer::default());
    handle.allow(0);
    assert_pending!(service.poll_ready());
    handle.allow(1);
    assert_ready_ok!(service.poll_ready());

    let request = Request::put("/path").header("x-kept", "yes").extension(7_u8).body(Full::from("hello")).unwrap();
    let answer = tokio::spawn(service.call(request));
    let (request, reply) = handle.next_request().await.unwrap();
    assert_eq!((request.method().as_str(), request.uri().path()), ("PUT", "/path"));
    assert_eq!(request.headers()["x-kept"], "yes");
    assert_eq!(request.extensions().get::<u8>(), Some(&7));
    assert_eq!(text(request.into_body()).await, "hello");
    reply.send_response("answer");
    assert_eq!(answer.await.unwrap().unwrap(), "answer");
    assert_pending!(service.poll_ready());
}

#[tokio::test]
async fn errors_pass_unchanged() {
    let (mut service, mut handle) = mock::spawn_layer::<Wrapped, (), _>(ReplayLayer::default());
    assert_ready_ok!(service.poll_ready());
    let answer = tokio::spawn(service.call(Request::new(Full::from("hello"))));
    handle.next_request().await.unwrap().1.send_error("broken");
    assert_eq!(answer.await.unwrap().unwrap_err().to_string(), "broken");
    handle.send_error("gone");
    assert!(matches!(service.poll_ready(), std::task::Poll::Ready(Err(_))));
}

#[tokio::test]
async fn the_layer_sets_the_limit() {
    for (layer, size, replayable) in [
        (ReplayLayer::new(4), 4, true),
        (ReplayLayer::new(4), 5, false),
        (ReplayLayer::default(), 1024 * 1024, true),
        (ReplayLayer::default(), 1024 * 1024 + 1, false),
    ] {
        let inner =
            service_fn(|request: Wrapped| async move { Ok::<_, BoxError>(request.body().try_clone().is_some()) });
        let request = Request::new(Full::from(vec![0; size]));
        assert_eq!(layer.layer(inner).oneshot(request).await.unwrap(), replayable, "{layer:?}, {size} bytes");
    }
}

#[test]
fn the_inner_service_can_be_reached() {
    let mut service = Replay::new(1, 4);
    *service.get_mut() += 1;
    assert_eq!(*service.get_ref(), 2);
    assert_eq!(service.clone().into_inner(), 2);
}

#[tokio::test]
async fn a_real_client_sends_the_same_bytes_with_the_same_length_twice() {
    let first = ReplayBody::new(Script::of(&["hel", "lo"]).hint(5, Some(5)), 64);
    let spare = first.try_clone().unwrap();
    let sent = send(first).await;
    assert!(sent.contains("content-length: 5\r\n") && sent.ends_with("\r\n\r\nhello"), "{sent}");
    let copy = spare.try_clone().expect("the client has let go of the first body");
    assert_eq!(send(copy).await, sent);
}

/// Sends `body` over HTTP/1.1 and returns what went over the wire.
async fn send(body: ReplayBody<Script>) -> String {
    let (client, mut server) = tokio::io::duplex(4096);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(client)).await.unwrap();
    let connection = tokio::spawn(connection);
    let request = Request::post("/").body(body).unwrap();
    let answer = tokio::spawn(async move { sender.send_request(request).await });
    let (mut sent, mut buffer) = (Vec::new(), [0; 4096]);
    while !sent.ends_with(b"hello") {
        let read = server.read(&mut buffer).await.unwrap();
        assert_ne!(read, 0, "the client closed early");
        sent.extend(&buffer[..read]);
    }
    server.write_all(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n").await.unwrap();
    assert_eq!(answer.await.unwrap().unwrap().status(), 204);
    connection.await.unwrap().unwrap();
    String::from_utf8(sent).unwrap()
}

#[test]
fn everything_is_send_and_sync() {
    fn shared<T: Send + Sync + 'static>() {}
    fn cloned<T: Clone + std::fmt::Debug>() {}
    fn sent_only<B: Body + Send + 'static>() {
        shared::<ReplayBody<B>>();
    }
    shared::<ReplayLayer>();
    shared::<Replay<()>>();
    cloned::<ReplayLayer>();
    cloned::<Replay<()>>();
    sent_only::<http_body_util::combinators::UnsyncBoxBody<Bytes, BoxError>>();
}
