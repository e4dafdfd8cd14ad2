//! Reads origins, base URLs and endpoints, one per line, and the URI of a request. A credential goes nowhere else.
#![no_main]

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::LazyLock;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::{Request, Uri};
use http_body_util::Full;
use libfuzzer_sys::fuzz_target;
use oauth_marathon::layers::credential::CredentialLayer;
use oauth_marathon::tokens::refresh::{OAuth2, RefreshRequest, TokenSource};
use oauth_marathon::{Credential, Pool, Secret, TokenSet};
use oauth_marathon_test::{Reply, ScriptedProvider};
use tokio::runtime::{Builder, Runtime};
use tower_layer::Layer;
use tower_service::Service;

const ORIGIN: &str = "https://api.example.com";

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_current_thread().enable_time().build().expect("a runtime"));

/// Where a refresh token is posted to, if the URL of the endpoint may be written so.
fn endpoint(written: &str) -> Option<Uri> {
    let server = ScriptedProvider::new().then(Reply::ok().body(r#"{"access_token":"new"}"#));
    let source: OAuth2<_, Full<Bytes>> = OAuth2::new(written, "client", server.clone());
    let tokens = TokenSet::new("old").with_refresh("refresh");
    let refreshed = RUNTIME.block_on(source.refresh(RefreshRequest::new("openai", "work", tokens)));
    let posted = server.requests().pop().map(|request| request.head.uri().clone());
    assert_eq!((source.check().is_ok(), refreshed.is_ok()), (posted.is_some(), posted.is_some()));
    posted
}

/// Where a request for `uri` goes with the credential of this pool. `None` if it goes nowhere, or there is no such pool.
fn sent(origin: &str, credential: Credential, uri: &Uri) -> Option<Uri> {
    let pool = Pool::builder("fuzz").origin(origin).credential(credential).build().ok()?;
    let provider = ScriptedProvider::new();
    let mut service = CredentialLayer::new(pool).layer(provider.clone());
    let mut request = Request::new(Full::new(Bytes::new()));
    *request.uri_mut() = uri.clone();
    let is_answered = at_once(async {
        poll_fn(|cx| Service::<Request<Full<Bytes>>>::poll_ready(&mut service, cx)).await?;
        service.call(request).await
    })
    .is_ok();
    let sent = provider.requests();
    assert_eq!(sent.len(), usize::from(is_answered));
    assert!(sent.iter().all(|request| request.token() == Some("key")));
    sent.first().map(|request| request.head.uri().clone())
}

/// The output of a future that does not wait for anything.
fn at_once<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("nothing here waits"),
    }
}

fn key() -> Credential {
    Credential::new("work", Secret::new("key"))
}

fn leads_to(origin: &str, uri: &Uri) -> bool {
    let sent = sent(origin, key(), uri);
    assert!(sent.as_ref().is_none_or(|sent| sent == uri));
    sent.is_some()
}

/// The request's path under a base URL.
fn rebased(base: &str, uri: &Uri) -> Option<Uri> {
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let uri = format!("{ORIGIN}{path}").parse().ok()?;
    sent(ORIGIN, key().base_url(base), &uri)
}

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (written, requested) = text.split_once('\n').unwrap_or((text, "/"));
    if let Some(endpoint) = endpoint(written) {
        assert!(!endpoint.authority().is_some_and(|authority| authority.as_str().contains('@')));
        let again = self::endpoint(&endpoint.to_string());
        assert_eq!(again.as_ref(), Some(&endpoint));
    }
    let Ok(uri) = requested.parse::<Uri>() else { return };
    if leads_to(written, &uri) {
        let authority = uri.authority().expect("a URI without a host leads nowhere");
        let host = authority.host().to_ascii_lowercase();
        assert!(written.to_ascii_lowercase().contains(&host), "{written} {uri}");
    }
    if let Some(rebased) = rebased(written, &uri) {
        let origin = format!("{}://{}", rebased.scheme_str().expect("absolute"), rebased.authority().expect("absolute"));
        assert!(leads_to(&origin, &rebased), "{written} {uri} {rebased}");
        assert!(written.to_ascii_lowercase().contains(&rebased.host().expect("absolute").to_ascii_lowercase()));
    }
});
