//! Time limits over real sockets, against providers that never come to an end; and heads with many fields.

use std::time::Duration;

use http::{Response, StatusCode};
use http_body_util::{BodyExt, Full};
use oauth_marathon::clients::{HttpClient, ResponseBody};
use oauth_marathon::config::Settings;
use oauth_marathon::{
    BoxError, Credential, Error, ErrorKind, MarathonBody, MarathonLayer, Pool, RequestContext, TokenSet,
};
use tower::{ServiceBuilder, ServiceExt};

use crate::support::raw::{Peer, RawServer};
use crate::support::server::{self, Server, post, within};

const SHORT: Duration = Duration::from_millis(150);

fn pool_of(origin: &str, change: impl FnOnce(&mut Settings)) -> Pool {
    let mut settings = Settings::default();
    settings.network_retry_attempts = 0;
    change(&mut settings);
    let credential = Credential::new("a", TokenSet::new("a"));
    Pool::builder("test").origin(origin).settings(settings).credential(credential).build().unwrap()
}

async fn send(
    origin: &str,
    change: impl FnOnce(&mut Settings),
) -> Result<Response<MarathonBody<ResponseBody>>, BoxError> {
    let pool = pool_of(origin, change);
    let client = HttpClient::with_connect_timeout(pool.settings().connect_timeout).unwrap();
    ServiceBuilder::new().layer(MarathonLayer::new(pool)).service(client).oneshot(post(origin)).await
}

fn kind(error: &BoxError) -> Option<ErrorKind> {
    Error::find(&**error).map(Error::kind)
}

#[tokio::test]
async fn no_answer_a_byte_at_a_time_and_endless_early_hints_end_at_the_attempts_limit() {
    within(async {
        // What is written again and again, until the client goes away.
        for again in ["", "H", "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n"] {
            let server = RawServer::start(move |_, mut peer: Peer| async move {
                peer.request().await;
                let mut beat = tokio::time::interval(Duration::from_millis(5));
                let head = if again == "H" { "HTTP/1.1 200 OK\r\nx-" } else { "" };
                peer.write(head).await;
                while peer.stream.writable().await.is_ok() {
                    beat.tick().await;
                    match tokio::io::AsyncWriteExt::write_all(&mut peer.stream, again.as_bytes()).await {
                        Ok(()) => {}
                        Err(_) => return,
                    }
                }
            })
            .await;
            let error = send(&server.origin(), |it| it.attempt_timeout = Some(SHORT)).await.unwrap_err();
            assert_eq!(kind(&error), Some(ErrorKind::AttemptTimeout), "{again:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_body_that_falls_silent_on_the_wire_ends_at_its_limit_and_its_connection_with_it() {
    within(async {
        let (gone, mut left) = tokio::sync::mpsc::unbounded_channel();
        let server = RawServer::start(move |_, mut peer: Peer| {
            let gone = gone.clone();
            async move {
                peer.request().await;
                peer.write("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf").await;
                assert!(peer.request().await.is_none(), "nothing more is sent here");
                let _ = gone.send(());
            }
        })
        .await;
        let answer = send(&server.origin(), |it| it.stream_idle_timeout = Some(SHORT)).await.unwrap();
        let error = answer.into_body().collect().await.unwrap_err();
        assert_eq!(kind(&error), Some(ErrorKind::StreamIdleTimeout));
        left.recv().await.expect("the connection is closed");
    })
    .await;
}

#[tokio::test]
async fn a_handshake_that_does_not_end_is_given_up_and_names_its_setting() {
    within(async {
        let server =
            RawServer::start(|_, mut peer: Peer| async move { while peer.arrived(1 << 20).await.is_some() {} }).await;
        let origin = format!("https://localhost:{}", server.address.port());
        let context = RequestContext::new();
        let error = context.clone().scope(send(&origin, |it| it.connect_timeout = Some(SHORT))).await.unwrap_err();
        assert_eq!(kind(&error), Some(ErrorKind::ConnectTimeout), "{error:?}");
        let timed_out = Error::find(&*error).unwrap().timed_out().unwrap();
        assert_eq!(
            (timed_out.to_string().as_str(), context.attempts()[0].timed_out),
            ("no connection was made within connectTimeoutMs (150 ms)", Some(timed_out))
        );
        assert_eq!(context.attempts()[0].verdict.unwrap().processed(), oauth_marathon::verdict::Processed::No);
    })
    .await;
}

/// An answer of this status with so many fields.
fn many(status: u16, fields: usize) -> server::Answer {
    let mut answer = Response::new(Full::default().boxed());
    *answer.status_mut() = StatusCode::from_u16(status).unwrap();
    for number in 0..fields {
        answer.headers_mut().append("via", format!("1.1 proxy-{number}").parse().unwrap());
    }
    answer
}

#[tokio::test]
async fn an_answer_of_many_fields_is_judged_and_one_of_too_many_is_a_clear_error() {
    within(async {
        let server = Server::start(|_| async { many(429, 900) }).await;
        let answer = send(&server.origin(), |_| ()).await.unwrap();
        assert_eq!((answer.status().as_u16(), answer.headers().get_all("via").iter().count()), (429, 900));

        let server = Server::start(|_| async { many(429, 1_100) }).await;
        let error = send(&server.origin(), |_| ()).await.unwrap_err();
        assert_eq!(kind(&error), Some(ErrorKind::HeadTooLarge), "{error:?}");
        assert!(error.to_string().contains("1000 fields"), "{error}");
    })
    .await;
}
