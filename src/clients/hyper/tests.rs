use std::convert::Infallible;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::{Method, StatusCode, Version};
use http_body_util::{BodyExt as _, Full};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::TcpListener;

use super::*;
use crate::TokenSet;
use crate::tokens::refresh::{OAuth2, RefreshRequest, TokenSource as _};

/// A server on loopback that echoes bodies, and answers a token at `/token`; with the number of connections that it has
/// seen.
async fn server() -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let connections = Arc::new(AtomicUsize::new(0));
    let seen = connections.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            seen.fetch_add(1, Ordering::Relaxed);
            tokio::spawn(async move {
                let service = service_fn(async |request: Request<hyper::body::Incoming>| {
                    let token = request.uri().path() == "/token";
                    let body =
                        request.into_body().collect().await.map_or_else(|_| Bytes::new(), |body| body.to_bytes());
                    let body = if token { Bytes::from_static(br#"{"access_token":"new"}"#) } else { body };
                    Ok::<_, Infallible>(Response::new(Full::new(body)))
                });
                auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await
            });
        }
    });
    (address, connections)
}

fn client() -> HttpClient<Full<Bytes>> {
    HttpClient::new().unwrap()
}

async fn send(
    client: &mut HttpClient<Full<Bytes>>,
    request: Request<Full<Bytes>>,
) -> Result<Response<Bytes>, BoxError> {
    poll_fn(|cx| client.poll_ready(cx)).await?;
    let (head, body) = client.call(request).await?.into_parts();
    Ok(Response::from_parts(head, body.collect().await?.to_bytes()))
}

#[tokio::test]
async fn requests_share_one_connection() {
    let (address, connections) = server().await;
    let mut client = client();
    for _ in 0..3 {
        let get = Request::get(format!("http://{address}/")).body(Full::default()).unwrap();
        let answer = send(&mut client, get).await.unwrap();
        assert_eq!((answer.status(), answer.version(), answer.body().len()), (StatusCode::OK, Version::HTTP_11, 0));
        let post = Request::builder().method(Method::POST).uri(format!("http://localhost:{}/", address.port()));
        let answer = send(&mut client.clone(), post.body(Full::from("hello")).unwrap()).await.unwrap();
        assert_eq!(answer.body(), "hello");
    }
    // One connection for each name of the server.
    assert_eq!(connections.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn it_serves_as_the_client_of_a_token_source() {
    let (address, _) = server().await;
    let source = OAuth2::new(format!("http://{address}/token"), "my-client", client());
    let request = RefreshRequest::new("openai", "work", TokenSet::new("old").with_refresh("refresh"));
    let tokens = tokio::spawn(async move { source.refresh(request).await }).await.unwrap().unwrap();
    assert_eq!(tokens.access().expose(), "new");
}

#[tokio::test]
async fn plain_http_to_another_machine_is_refused_before_anything_is_sent() {
    for uri in ["http://example.invalid/", "/relative", "ftp://127.0.0.1/"] {
        let request = Request::get(uri).body(Full::default()).unwrap();
        let error = send(&mut client(), request).await.unwrap_err();
        assert_eq!(Error::find(&*error).unwrap().kind(), ErrorKind::ForeignOrigin, "{uri}");
    }
}

#[tokio::test]
async fn a_refused_connection_keeps_its_cause() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let error = send(&mut client(), Request::get(format!("http://{address}/")).body(Full::default()).unwrap())
        .await
        .unwrap_err();
    assert!(error.downcast_ref::<hyper_util::client::legacy::Error>().unwrap().is_connect());
    let refused =
        crate::error::chain(&*error).filter_map(|error| error.downcast_ref::<std::io::Error>()).next().unwrap();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
}

#[tokio::test]
async fn tls_is_spoken_without_a_default_provider_of_the_process() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let hello = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut first = [0; 1];
        while stream.readable().await.is_ok() {
            match stream.try_read(&mut first) {
                Ok(_) => break,
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(_) => break,
            }
        }
        first[0]
    });
    let request = Request::get(format!("https://localhost:{port}/")).body(Full::default()).unwrap();
    send(&mut client(), request).await.unwrap_err();
    // The first byte of a TLS handshake record.
    assert_eq!(hello.await.unwrap(), 22);
    assert!(rustls::crypto::CryptoProvider::get_default().is_none());
}

#[test]
fn the_client_and_its_parts_are_send_and_print_no_internals() {
    fn check<T: Send + fmt::Debug>() {}
    check::<HttpClient<Full<Bytes>>>();
    check::<ResponseFuture>();
    check::<ResponseBody>();
    assert_eq!(format!("{:?}", client()), "HttpClient { .. }");
}

#[tokio::test]
async fn a_head_over_http2_is_read_up_to_its_bound_and_a_larger_one_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = service_fn(async |request: Request<hyper::body::Incoming>| {
                let mut answer = Response::new(Full::<Bytes>::default());
                let fields: usize = request.uri().path()[1..].parse().unwrap();
                let value = http::HeaderValue::from_str(&"x".repeat(1_000)).unwrap();
                (0..fields).for_each(|_| _ = answer.headers_mut().append("via", value.clone()));
                Ok::<_, Infallible>(answer)
            });
            tokio::spawn(async move {
                auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await
            });
        }
    });
    let mut http2 = Client::builder(TokioExecutor::new());
    let mut client = HttpClient::<Full<Bytes>>::builder().build_from(http2.http2_only(true)).unwrap();
    let mut get = async |fields: usize| {
        let request = Request::get(format!("http://{address}/{fields}")).body(Full::default()).unwrap();
        send(&mut client, request).await
    };
    let answer = get(200).await.unwrap();
    assert_eq!((answer.version(), answer.headers().get_all("via").iter().count()), (Version::HTTP_2, 200));
    let error = get(300).await.unwrap_err();
    assert_eq!(Error::find(&*error).unwrap().kind(), ErrorKind::HeadTooLarge, "{error:?}");
    assert!(error.to_string().contains("262144 bytes over HTTP/2"), "{error}");
}
