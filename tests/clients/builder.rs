//! What can be set at the bundled client: whom it trusts, which connections it keeps, and how much of a head it reads.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use oauth_marathon::clients::HttpClient;
use oauth_marathon::{BoxError, Error, ErrorKind};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt;

use crate::support::server::{Server, within};

type Client = HttpClient<Full<Bytes>>;

/// A server for `localhost` with TLS, and the certificate that it shows, as PEM: nobody else has signed it.
async fn tls_server() -> (SocketAddr, String) {
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(own.signing_key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![own.cert.der().clone()], key)
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(stream) = acceptor.accept(stream).await else { continue };
            let service = service_fn(async |_| Ok::<_, Infallible>(Response::new(Full::<Bytes>::default())));
            tokio::spawn(async move {
                auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await
            });
        }
    });
    (address, own.cert.pem())
}

async fn get(client: &Client, url: String) -> Result<u16, BoxError> {
    let answer = client.clone().oneshot(Request::get(url).body(Full::default())?).await?;
    let status = answer.status().as_u16();
    answer.into_body().collect().await?;
    Ok(status)
}

#[tokio::test]
async fn a_server_is_trusted_by_the_root_certificates_that_were_added() {
    within(async {
        let (address, pem) = tls_server().await;
        let url = format!("https://localhost:{}/", address.port());
        let error = get(&Client::new().unwrap(), url.clone()).await.unwrap_err();
        assert!(format!("{error:?}").contains("UnknownIssuer"), "{error:?}");
        for mozilla in [true, false] {
            let client = Client::builder().root_certificates(pem.as_str()).mozilla_roots(mozilla).build().unwrap();
            assert_eq!(get(&client, url.clone()).await.unwrap(), 200, "{mozilla}");
        }
    })
    .await;
}

#[test]
fn root_certificates_that_cannot_be_read_and_none_at_all_are_errors_without_their_text() {
    let no_certificate = "-----BEGIN CERTIFICATE-----\nYzRuNHJ5\n-----END CERTIFICATE-----\n";
    let cut_short = "-----BEGIN CERTIFICATE-----\nYzRuNHJ5\n";
    for (pem, expected) in [
        ("", "holds no certificate"),
        ("c4n4ry", "holds no certificate"),
        (no_certificate, "cannot be read"),
        (cut_short, "cannot be read"),
    ] {
        let builder = Client::builder().root_certificates(pem);
        assert!(!format!("{builder:?}").contains("c4n4ry"));
        let error = builder.build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().contains(expected), "{error}");
        assert!(!format!("{error:?}").contains("c4n4ry") && !format!("{error:?}").contains("YzRu"), "{error:?}");
    }
    let nobody = Client::builder().mozilla_roots(false).build().unwrap_err();
    assert!(nobody.to_string().contains("no root certificate is trusted"), "{nobody}");
}

#[tokio::test]
async fn the_bound_of_a_head_and_the_connections_that_are_kept_are_the_callers() {
    within(async {
        let server = Server::start(|request| async move {
            let mut answer = Response::new(Full::default().boxed());
            let fields: usize = request.uri().path()[1..].parse().unwrap();
            (0..fields).for_each(|_| _ = answer.headers_mut().append("via", "1.1 proxy".parse().unwrap()));
            answer
        })
        .await;
        let url = |fields: usize| format!("{}/{fields}", server.origin());
        let bounded = Client::builder().max_header_fields(20).build().unwrap();
        assert_eq!(get(&bounded, url(10)).await.unwrap(), 200);
        let error = get(&bounded, url(30)).await.unwrap_err();
        assert_eq!(Error::find(&*error).map(Error::kind), Some(ErrorKind::HeadTooLarge), "{error:?}");
        assert!(error.to_string().contains("20 fields"), "{error}");

        for (most, connections) in [(8, 1), (0, 3)] {
            let before = server.log.connections();
            let client = Client::builder().max_idle_per_host(most).build().unwrap();
            for _ in 0..3 {
                get(&client, url(1)).await.unwrap();
            }
            assert_eq!(server.log.connections() - before, connections, "{most} kept");
        }
    })
    .await;
}
