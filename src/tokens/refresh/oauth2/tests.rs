//! Tests of `OAuth2`: its requests, the answers that it reads, and limits of time and size.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::UNIX_EPOCH;

use http::Method;
use http::header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_TYPE};
use http_body::Frame;
use http_body_util::{BodyExt as _, Full};
use tower::service_fn;

use super::*;
use crate::clock::clock_fn;
use crate::tokens::refresh::RefreshErrorKind;

const URL: &str = "https://auth.example.com/oauth/token?tenant=1";

type Sent = Arc<Mutex<Vec<(http::request::Parts, String)>>>;
type Answer = Response<Full<Bytes>>;

fn answer(status: u16, body: impl Into<Bytes>) -> Answer {
    Response::builder().status(status).body(Full::new(body.into())).unwrap()
}

/// A client that notes the requests and answers a new token.
fn recorder()
-> (Sent, impl Service<Request<Full<Bytes>>, Response = Answer, Error = Infallible, Future: Send> + Clone + Send) {
    let sent = Sent::default();
    let log = sent.clone();
    let http = service_fn(move |request: Request<Full<Bytes>>| {
        let log = log.clone();
        async move {
            let (head, body) = request.into_parts();
            let body = body.collect().await.unwrap().to_bytes();
            log.lock().unwrap().push((head, String::from_utf8(body.to_vec()).unwrap()));
            Ok(answer(200, r#"{"access_token":"new","expires_in":3600}"#))
        }
    });
    (sent, http)
}

fn request() -> RefreshRequest {
    RefreshRequest::new("openai", "work", TokenSet::new("at-secret").with_refresh("rt-secret+1"))
}

fn source<C: Service<Request<Full<Bytes>>>>(http: C) -> OAuth2<C, Full<Bytes>> {
    OAuth2::new(URL, "my-client", http)
}

#[tokio::test(start_paused = true)]
async fn the_grant_is_posted_as_a_form() {
    let (sent, http) = recorder();
    let clock = clock_fn(|| UNIX_EPOCH + Duration::from_secs(1_800_000_000));
    let source = source(http).scope("openid offline_access").parameter("audience", "a b").clock(clock);
    source.check().unwrap();
    let tokens = source.refresh(request()).await.unwrap();
    assert_eq!(tokens.access().expose(), "new");
    assert_eq!(tokens.refresh().unwrap().expose(), "rt-secret+1");
    assert_eq!(tokens.expiry(), Some(UNIX_EPOCH + Duration::from_secs(1_800_003_600)));

    let sent = sent.lock().unwrap();
    let [(head, body)] = &sent[..] else { panic!("{} requests", sent.len()) };
    assert_eq!((&head.method, head.uri.to_string()), (&Method::POST, URL.to_owned()));
    assert_eq!(head.headers[CONTENT_TYPE], "application/x-www-form-urlencoded");
    assert_eq!(head.headers[ACCEPT], "application/json");
    assert_eq!(head.headers[ACCEPT_ENCODING], "identity");
    assert!(!head.headers.contains_key(AUTHORIZATION));
    assert_eq!(
        body,
        "grant_type=refresh_token&refresh_token=rt-secret%2B1&client_id=my-client&scope=openid+offline_access&audience=a+b"
    );
}

#[tokio::test(start_paused = true)]
async fn a_client_secret_goes_out_with_basic_and_the_body_names_no_client() {
    let (sent, http) = recorder();
    OAuth2::new(URL, "my:client", http).client_secret("p@ss word%").refresh(request()).await.unwrap();
    let sent = sent.lock().unwrap();
    let (head, body) = &sent[0];
    // my%3Aclient:p%40ss+word%25
    assert_eq!(head.headers[AUTHORIZATION], "Basic bXklM0FjbGllbnQ6cCU0MHNzK3dvcmQlMjU=");
    assert!(head.headers[AUTHORIZATION].is_sensitive());
    assert_eq!(body, "grant_type=refresh_token&refresh_token=rt-secret%2B1");
}

#[tokio::test(start_paused = true)]
async fn a_client_secret_can_go_into_the_body() {
    let (sent, http) = recorder();
    source(http).client_secret("s&s").client_secret_in_body().refresh(request()).await.unwrap();
    let sent = sent.lock().unwrap();
    let (head, body) = &sent[0];
    assert!(!head.headers.contains_key(AUTHORIZATION));
    assert!(body.ends_with("&client_id=my-client&client_secret=s%26s"), "{body}");
}

#[tokio::test(start_paused = true)]
async fn the_grant_can_be_posted_as_json() {
    let (sent, http) = recorder();
    source(http).json_body().parameter("note", "say \"hi\"").refresh(request()).await.unwrap();
    let sent = sent.lock().unwrap();
    let (head, body) = &sent[0];
    assert_eq!(head.headers[CONTENT_TYPE], "application/json");
    let expected = serde_json::json!({
        "grant_type": "refresh_token",
        "refresh_token": "rt-secret+1",
        "client_id": "my-client",
        "note": "say \"hi\"",
    });
    assert_eq!(serde_json::from_str::<serde_json::Value>(body).unwrap(), expected);
}

#[tokio::test(start_paused = true)]
async fn wrong_settings_are_found_by_the_check_and_nothing_is_sent() {
    type Change<C> = fn(OAuth2<C, Full<Bytes>>) -> OAuth2<C, Full<Bytes>>;
    fn cases<C>() -> Vec<(Change<C>, &'static str)> {
        vec![
            (|s| OAuth2 { token_url: "http://auth.example.com/token".into(), ..s }, "use https"),
            (|s| OAuth2 { token_url: "auth.example.com/token".into(), ..s }, "is not a URL"),
            (|s| OAuth2 { token_url: "https://auth.example.com/token#x".into(), ..s }, "fragment"),
            (|s| OAuth2 { token_url: "https://me:pw@auth.example.com/token".into(), ..s }, "user name"),
            (|s| OAuth2 { token_url: String::new(), ..s }, "is not a URL"),
            (|s| OAuth2 { client: OAuthClient::default(), ..s }, "client id is empty"),
            (OAuth2::client_secret_in_body, "needs a client_secret"),
            (|s| s.parameter("refresh_token", "x"), "sent twice"),
            (|s| s.parameter("audience", "x").parameter("audience", "y"), "sent twice"),
        ]
    }
    for (change, expected) in cases() {
        let (sent, http) = recorder();
        let source = change(source(http));
        let error = source.check().unwrap_err();
        assert!(error.to_string().contains(expected) && !error.to_string().contains("pw"), "{error}");
        let error = source.refresh(request()).await.unwrap_err();
        assert_eq!(error.kind(), RefreshErrorKind::Misconfigured);
        assert!(sent.lock().unwrap().is_empty());
    }
    for url in ["http://127.0.0.1:9/token", "http://localhost/token", "http://[::1]:9/token"] {
        OAuth2::new(url, "my-client", recorder().1).check().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_refresh_token_nothing_is_sent() {
    for tokens in [TokenSet::new("at"), TokenSet::new("at").with_refresh("")] {
        let (sent, http) = recorder();
        let error = source(http).refresh(RefreshRequest::new("openai", "work", tokens)).await.unwrap_err();
        assert_eq!(error.kind(), RefreshErrorKind::LoginNeeded);
        assert!(error.to_string().contains("no refresh token"), "{error}");
        assert!(sent.lock().unwrap().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_told_apart_from_a_broken_connection() {
    let http =
        service_fn(async |_: Request<Full<Bytes>>| Ok::<_, BoxError>(answer(400, r#"{"error":"invalid_grant"}"#)));
    let error = source(http).refresh(request()).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (RefreshErrorKind::LoginNeeded, Some("invalid_grant")));

    let http = service_fn(async |_: Request<Full<Bytes>>| Err::<Answer, BoxError>("connection reset".into()));
    let error = source(http).refresh(request()).await.unwrap_err();
    assert_eq!(error.kind(), RefreshErrorKind::Transient);
    assert_eq!(std::error::Error::source(&error).unwrap().to_string(), "connection reset");
}

#[tokio::test(start_paused = true)]
async fn the_time_limit_covers_an_answer_that_never_begins() {
    let http = service_fn(|_: Request<Full<Bytes>>| std::future::pending::<Result<Answer, BoxError>>());
    let begun = crate::clock::now();
    let error = source(http).refresh(request()).await.unwrap_err();
    assert_eq!(error.kind(), RefreshErrorKind::Transient);
    assert!(error.to_string().contains("30s"), "{error}");
    assert!(crate::clock::now() - begun >= Duration::from_secs(30));
}

/// A body of scripted frames, followed by `rest` for ever.
struct Frames {
    first: VecDeque<&'static [u8]>,
    rest: Option<Result<&'static [u8], &'static str>>,
    every: Duration,
    sleep: Option<Pin<Box<tokio::time::Sleep>>>,
    read: Arc<AtomicUsize>,
}

impl Body for Frames {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if !self.every.is_zero() {
            let every = self.every;
            let sleep = self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep(every)));
            std::task::ready!(sleep.as_mut().poll(cx));
            self.sleep = None;
        }
        let next = self.first.pop_front().map(Ok).or(self.rest);
        if let Some(Ok(data)) = next {
            self.read.fetch_add(data.len(), Ordering::Relaxed);
        }
        Poll::Ready(next.map(|next| next.map(|data| Frame::data(Bytes::from_static(data))).map_err(Into::into)))
    }
}

/// The outcome of a refresh whose answer has this body, and how much of the body was read.
async fn refresh_from(
    first: &[&'static [u8]],
    rest: Option<Result<&'static [u8], &'static str>>,
    every: Duration,
) -> (Result<TokenSet, RefreshError>, usize) {
    let read = Arc::new(AtomicUsize::new(0));
    let body = Frames { first: first.iter().copied().collect(), rest, every, sleep: None, read: read.clone() };
    let body = Arc::new(Mutex::new(Some(body)));
    let http = service_fn(move |_: Request<Full<Bytes>>| {
        let body = body.lock().unwrap().take().unwrap();
        async move { Ok::<_, BoxError>(Response::new(body)) }
    });
    (source(http).refresh(request()).await, read.load(Ordering::Relaxed))
}

#[tokio::test(start_paused = true)]
async fn an_answer_in_many_frames_is_one_answer() {
    let (tokens, _) = refresh_from(&[b"{\"access_", b"", b"token\":\"a\"}"], None, Duration::from_secs(5)).await;
    assert_eq!(tokens.unwrap().access().expose(), "a");
}

#[tokio::test(start_paused = true)]
async fn a_dripping_answer_ends_with_the_time_limit() {
    let (outcome, read) = refresh_from(&[], Some(Ok(b" ")), Duration::from_secs(1)).await;
    assert!(outcome.unwrap_err().to_string().contains("within 30s"));
    assert!(read <= 30, "{read}");
}

#[tokio::test(start_paused = true)]
async fn an_endless_answer_is_dropped_at_the_limit() {
    static CHUNK: [u8; 16 * 1024] = [b' '; 16 * 1024];
    let (outcome, read) = refresh_from(&[], Some(Ok(&CHUNK)), Duration::ZERO).await;
    let error = outcome.unwrap_err();
    assert!(error.to_string().contains("1 MiB") && !error.says_unspent(), "{error}");
    assert_eq!(read, 65 * CHUNK.len());
}

#[tokio::test(start_paused = true)]
async fn an_answer_of_exactly_the_limit_is_read() {
    static PADDING: [u8; 1024 * 1024 - 20] = [b' '; 1024 * 1024 - 20];
    let token: &[u8] = b"{\"access_token\":\"a\"}";
    assert_eq!(token.len(), 20);
    let (outcome, _) = refresh_from(&[&PADDING, token], None, Duration::ZERO).await;
    assert!(outcome.is_ok());
    let (outcome, _) = refresh_from(&[&PADDING, b"{\"access_token\":\"", b"ab\"}"], None, Duration::ZERO).await;
    assert!(outcome.is_err());
}

#[tokio::test(start_paused = true)]
async fn what_came_before_an_answer_broke_off_is_read() {
    const TOKENS: &[u8] = b"{\"access_token\":\"a\",\"refresh_token\":\"r\"}";
    static CHUNK: [u8; 16 * 1024] = [b' '; 16 * 1024];
    type Rest<'a> = Option<Result<&'static [u8], &'a str>>;
    let ends: [(Rest<'_>, Duration); 3] = [
        (Some(Err("reset")), Duration::ZERO),
        (Some(Ok(b" ")), Duration::from_secs(1)),
        (Some(Ok(&CHUNK)), Duration::ZERO),
    ];
    for (rest, every) in ends {
        let (outcome, _) = refresh_from(&[TOKENS], rest, every).await;
        let tokens = outcome.unwrap();
        assert_eq!((tokens.access().expose(), tokens.refresh().unwrap().expose()), ("a", "r"), "{rest:?}");
        // The access token is cut, and the refresh token is whole.
        let (outcome, _) = refresh_from(&[b"{\"refresh_token\":\"r\",\"access_token\":\"a"], rest, every).await;
        let mut error = outcome.unwrap_err();
        assert_eq!(error.status().unwrap().as_u16(), 200, "{rest:?}");
        assert_eq!(error.take_refresh_token().unwrap().expose(), "r", "{rest:?}");
        // It is unknown where a token in a form ends.
        let (outcome, _) = refresh_from(&[b"access_token=a&refresh_token=r"], rest, every).await;
        assert!(outcome.unwrap_err().take_refresh_token().is_none(), "{rest:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn ten_megabytes_in_one_frame_are_refused() {
    let http = service_fn(async |_: Request<Full<Bytes>>| Ok::<_, BoxError>(answer(200, vec![b' '; 10 << 20])));
    let error = source(http).refresh(request()).await.unwrap_err();
    assert_eq!(error.kind(), RefreshErrorKind::Transient);
    assert!(error.to_string().contains("1 MiB"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_breaks_in_the_answer_is_transient() {
    let (outcome, _) = refresh_from(&[b"{\"access_token\":"], Some(Err("reset")), Duration::ZERO).await;
    let error = outcome.unwrap_err();
    assert_eq!(error.kind(), RefreshErrorKind::Transient);
    assert_eq!(std::error::Error::source(&error).unwrap().to_string(), "reset");
}

/// A service that is ready only once it was polled, anew after each clone, and that is not `Sync`.
struct Strict {
    ready: bool,
    refuses: bool,
    _not_sync: std::cell::Cell<()>,
}

impl Clone for Strict {
    fn clone(&self) -> Self {
        Self { ready: false, refuses: self.refuses, _not_sync: std::cell::Cell::new(()) }
    }
}

impl Service<Request<Full<Bytes>>> for Strict {
    type Response = Answer;
    type Error = BoxError;
    type Future = std::future::Ready<Result<Answer, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.ready = true;
        Poll::Ready(if self.refuses { Err("closed".into()) } else { Ok(()) })
    }

    fn call(&mut self, _: Request<Full<Bytes>>) -> Self::Future {
        assert!(std::mem::take(&mut self.ready), "called without being ready");
        std::future::ready(Ok(answer(200, r#"{"access_token":"new"}"#)))
    }
}

#[tokio::test(start_paused = true)]
async fn the_client_is_asked_whether_it_is_ready_and_need_not_be_sync() {
    let strict = |refuses| Strict { ready: false, refuses, _not_sync: std::cell::Cell::new(()) };
    let ready = source(strict(false));
    ready.refresh(request()).await.unwrap();
    ready.refresh(request()).await.unwrap();
    let error = source(strict(true)).refresh(request()).await.unwrap_err();
    assert_eq!(error.kind(), RefreshErrorKind::Transient);
}

#[tokio::test(start_paused = true)]
async fn no_secret_shows_in_what_is_printed() {
    let bodies = [
        (200, r#"{"access_token":"new-secret","error":"rt-secret+1"}"#),
        (200, r#"{"access_token":"new-secret\nx"}"#),
        (200, r#"{"access_token":"new-secret\nx","refresh_token":"new-secret-r","error":"new-secret-r"}"#),
        (200, r#"{"access_token":"new-secret","expires_in":"#),
        (400, r#"{"error":"at-secret","error_description":"rt-secret+1 is not known"}"#),
        (400, "rt-secret+1"),
        (500, "<html>new-secret</html>"),
    ];
    for (status, body) in bodies {
        let http =
            service_fn(move |_: Request<Full<Bytes>>| std::future::ready(Ok::<_, BoxError>(answer(status, body))));
        let source = source(http).client_secret("client-secret").parameter("key", "parameter-secret");
        let error = source.refresh(request()).await.unwrap_err();
        let chain = crate::error::chain(&error).map(|error| format!("{error} {error:?}")).collect::<String>();
        let shown = format!("{source:?} {:?} {chain}", request());
        for secret in ["at-secret", "rt-secret", "new-secret", "client-secret", "parameter-secret"] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }
    let (_, http) = recorder();
    let shown = format!("{:?}", OAuth2::new("https://me:url-secret@auth.example.com/?k=url-secret", "id", http));
    assert!(!shown.contains("url-secret") && shown.contains("auth.example.com"), "{shown}");
}
