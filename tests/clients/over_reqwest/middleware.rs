//! The stack as a middleware of reqwest-middleware, over real sockets.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use http::Extensions;
use oauth_marathon::clients::reqwest::MarathonMiddleware;
use oauth_marathon::verdict::Processed;
use oauth_marathon::{Credential, Error, ErrorKind, Pool, RequestContext, Secret};
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware, Middleware, Next, Result};

use crate::support::loopback::{
    Loopback, Raw, chunks, credential, for_ever, log, nobody, status, without_network_retries,
};

fn client(pool: &Pool) -> ClientWithMiddleware {
    ClientBuilder::new(reqwest::Client::new()).with(MarathonMiddleware::from(pool.clone())).build()
}

/// Notes what it finds in the extensions before and after the chain below it, and leaves a mark there.
#[derive(Clone)]
struct Observer(&'static str, Arc<Mutex<Vec<String>>>);

#[derive(Clone)]
struct Mark(String);

#[async_trait]
impl Middleware for Observer {
    async fn handle(
        &self,
        request: reqwest::Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> Result<reqwest::Response> {
        self.note("before", extensions);
        let mark = format!("{} {}", self.0, self.notes().len());
        extensions.insert(Mark(mark));
        let result = next.run(request, extensions).await;
        self.note("after", extensions);
        result
    }
}

impl Observer {
    fn named(name: &'static str) -> Self {
        Self(name, Arc::default())
    }

    fn note(&self, when: &str, extensions: &Extensions) {
        let mark = extensions.get::<Mark>().map_or("none", |mark| &mark.0);
        let seen = RequestContext::of(extensions).map(log).unwrap_or_default().join(", ");
        let current = RequestContext::current().map(|context| log(&context)).unwrap_or_default().join(", ");
        self.1.lock().unwrap().push(format!("{when}: mark {mark}, [{seen}], task [{current}]"));
    }

    fn notes(&self) -> Vec<String> {
        self.1.lock().unwrap().clone()
    }
}

#[tokio::test]
async fn a_limited_account_gives_way_to_the_next_and_the_answer_is_as_reqwest_makes_it() {
    let server = Loopback::refusing(&[("work", 429)]).await;
    let pool = server.pool(&["work", "home"]);
    let url = server.url("/v1/chat?x=1#part");
    let answer = client(&pool).post(&url).header("x-own", "1").body("hello").send().await.unwrap();

    let plain = reqwest::get(&url).await.unwrap();
    assert_eq!((answer.status(), answer.version(), answer.url()), (plain.status(), plain.version(), plain.url()));
    assert_eq!(answer.remote_addr(), Some(server.address));
    assert_eq!(answer.content_length(), Some(15));
    assert_eq!(
        log(RequestContext::of(answer.extensions()).unwrap()),
        ["work: rate limited (429)", "home: success (200)"]
    );
    assert_eq!(answer.text().await.unwrap(), "home says hello");
    assert_eq!(server.tokens(), ["work", "home", ""]);
    for seen in &server.seen()[..2] {
        assert_eq!((seen.header("x-own"), seen.header("content-length"), &seen.body[..]), ("1", "5", &b"hello"[..]));
    }
}

#[tokio::test]
async fn an_answer_from_memory_has_the_url_of_the_request() {
    let server = Loopback::refusing(&[("work", 429)]).await;
    let client = client(&server.pool(&["work"]));
    for path in ["/first", "/second"] {
        let answer = client.get(server.url(path)).send().await.unwrap();
        assert_eq!((answer.status().as_u16(), answer.url().as_str()), (429, server.url(path).as_str()));
        assert_eq!(answer.text().await.unwrap(), "work is refused");
    }
    assert_eq!(server.tokens().len(), 1, "the second answer was not the server's");
}

#[tokio::test]
async fn middlewares_above_and_below_see_the_attempts_and_each_attempt_has_extensions_of_its_own() {
    let server = Loopback::refusing(&[("work", 429)]).await;
    let (above, below) = (Observer::named("above"), Observer::named("below"));
    let client = ClientBuilder::new(reqwest::Client::new())
        .with(above.clone())
        .with(MarathonMiddleware::from(server.pool(&["work", "home"])))
        .with(below.clone())
        .build();
    client.get(server.url("/")).send().await.unwrap();

    assert_eq!(
        below.notes(),
        [
            "before: mark above 1, [work: open], task [work: open]",
            "after: mark below 1, [work: open], task [work: open]",
            // What the attempt before left is not there.
            "before: mark above 1, [work: rate limited (429), home: open], task [work: rate limited (429), home: open]",
            "after: mark below 3, [work: rate limited (429), home: open], task [work: rate limited (429), home: open]",
        ]
    );
    assert_eq!(
        above.notes(),
        [
            "before: mark none, [], task []",
            "after: mark below 3, [work: rate limited (429), home: success (200)], task []"
        ]
    );
}

/// Gives up on the chain below it once the server has the request.
struct Impatient(Arc<Loopback>);

#[async_trait]
impl Middleware for Impatient {
    async fn handle(
        &self,
        request: reqwest::Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> Result<reqwest::Response> {
        let arrived = async {
            while self.0.seen().is_empty() {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            result = next.run(request, extensions) => result,
            () = arrived => Err(reqwest_middleware::Error::middleware(std::fmt::Error)),
        }
    }
}

#[tokio::test]
async fn a_middleware_that_gives_up_finds_its_extensions_as_they_were_with_the_open_attempt() {
    let server = Arc::new(Loopback::start(|_| for_ever()).await);
    let pool = server.pool(&["work"]);
    let observer = Observer::named("above");
    let client = ClientBuilder::new(reqwest::Client::new())
        .with(observer.clone())
        .with(Impatient(server.clone()))
        .with(MarathonMiddleware::from(pool.clone()))
        .build();
    client.get(server.url("/")).send().await.unwrap_err();
    assert_eq!(observer.notes()[1], "after: mark above 1, [work: open], task []");
    assert_eq!(credential(&pool, "work").in_flight, 0);
}

#[tokio::test]
async fn the_context_of_the_caller_is_inherited_and_shows_the_attempts_afterwards() {
    let server = Loopback::refusing(&[("work", 429)]).await;
    let client = client(&server.pool(&["work", "home"]));
    let context = RequestContext::new().with_pin("home");
    client.get(server.url("/")).with_extension(context.clone()).send().await.unwrap();
    assert_eq!(log(&context), ["home: success (200)"]);

    let pinned = RequestContext::new().with_pin("work");
    let answer = client.get(server.url("/")).with_extension(pinned.clone()).send().await.unwrap();
    assert_eq!((answer.status().as_u16(), log(&pinned)), (429, vec!["work: rate limited (429)".to_owned()]));

    let around = RequestContext::new();
    around.clone().scope(client.get(server.url("/")).send()).await.unwrap();
    assert_eq!(log(&around), ["home: success (200)"], "a context around the task serves as well");
}

#[tokio::test]
async fn what_the_chain_below_fails_with_comes_back_as_it_was() {
    struct Broken;

    #[async_trait]
    impl Middleware for Broken {
        async fn handle(&self, _: reqwest::Request, _: &mut Extensions, _: Next<'_>) -> Result<reqwest::Response> {
            Err(reqwest_middleware::Error::middleware(std::fmt::Error))
        }
    }

    let server = Loopback::refusing(&[]).await;
    let address = nobody().await;
    let pool = Pool::builder("test").origin(format!("http://{address}"));
    let pool = pool.credential(Credential::new("work", Secret::new("t"))).build().unwrap();
    let context = RequestContext::new();
    let sent = client(&pool).get(format!("http://{address}/x")).with_extension(context.clone()).send().await;
    let error = sent.unwrap_err();
    assert!(matches!(&error, reqwest_middleware::Error::Reqwest(error) if error.is_connect()), "{error:?}");
    assert!(context.attempts().iter().all(|attempt| attempt.verdict.unwrap().processed() == Processed::No));
    assert_eq!(context.attempts().len(), 2);

    let middleware = MarathonMiddleware::from(server.pool(&["work"]));
    let client = ClientBuilder::new(reqwest::Client::new()).with(middleware).with(Broken).build();
    let error = client.get(server.url("/")).send().await.unwrap_err();
    let reqwest_middleware::Error::Middleware(error) = error else { panic!("{error:?}") };
    assert!(error.is::<std::fmt::Error>(), "{error:?}");
}

#[tokio::test]
async fn an_error_of_ours_is_found_in_the_middleware_error() {
    let server = Loopback::refusing(&[]).await;
    let observer = Observer::named("above");
    let middleware = MarathonMiddleware::from(server.pool(&["work"]));
    let client = ClientBuilder::new(reqwest::Client::new()).with(observer.clone()).with(middleware).build();
    let error = client.get("http://127.0.0.1:9/").send().await.unwrap_err();
    assert_eq!(Error::find(&error).unwrap().kind(), ErrorKind::ForeignOrigin);
    let reqwest_middleware::Error::Middleware(inner) = &error else { panic!("{error:?}") };
    assert!(inner.is::<Error>());
    assert_eq!(observer.notes()[1], "after: mark above 1, [], task []");
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn the_timeout_of_a_request_holds_for_each_attempt() {
    let server = Loopback::start(|seen| async move {
        if seen.token() == "home" { status(200, "in time") } else { for_ever().await }
    })
    .await;
    let client = client(&server.pool_with(&["work", "home"], without_network_retries()));
    let context = RequestContext::new();
    let request = client.get(server.url("/")).timeout(Duration::from_secs(1)).with_extension(context.clone());
    assert_eq!(request.send().await.unwrap().text().await.unwrap(), "in time");
    assert_eq!(server.tokens(), ["work", "home"]);
    assert_eq!(log(&context), ["work: connection failed", "home: success (200)"]);
}

#[tokio::test]
async fn a_streamed_body_is_sent_once_and_the_pool_learns_for_the_next_request() {
    let server = Loopback::refusing(&[("work", 429)]).await;
    let client = client(&server.pool(&["work", "home"]));
    let stream = || reqwest::Body::wrap(chunks([Ok("one "), Ok("two")]));
    let answer = client.post(server.url("/")).body(stream()).send().await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.text().await.unwrap()), (429, "work is refused".to_owned()));
    let answer = client.post(server.url("/")).body(stream()).send().await.unwrap();
    assert_eq!(answer.text().await.unwrap(), "home says one two");
    assert_eq!(server.tokens(), ["work", "home"]);
}

#[tokio::test]
async fn a_stream_of_the_caller_that_breaks_off_is_nobodys_fault() {
    let server = Loopback::refusing(&[]).await;
    let pool = server.pool(&["work", "home"]);
    // Its own cause looks like a lost connection to the provider, and is not.
    let broken = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
    let body = reqwest::Body::wrap(chunks([Ok("one "), Err(broken)]));
    let context = RequestContext::new();
    let sent = client(&pool).post(server.url("/")).body(body).with_extension(context.clone()).send().await;
    assert!(matches!(sent.unwrap_err(), reqwest_middleware::Error::Reqwest(_)));
    assert_eq!(log(&context), ["work: canceled by the caller"]);
    let work = credential(&pool, "work");
    assert_eq!((work.failures, work.in_flight), (0, 0));
}

#[tokio::test]
async fn the_credential_is_in_use_until_the_answer_is_read() {
    let server = Loopback::refusing(&[]).await;
    let pool = server.pool(&["work"]);
    let answer = client(&pool).get(server.url("/")).send().await.unwrap();
    assert_eq!(credential(&pool, "work").in_flight, 1);
    answer.bytes().await.unwrap();
    assert_eq!(credential(&pool, "work").in_flight, 0);
    drop(client(&pool).get(server.url("/")).send().await.unwrap());
    assert_eq!(credential(&pool, "work").in_flight, 0);
}

#[tokio::test]
async fn a_body_that_breaks_off_is_the_error_that_reqwest_makes_of_it() {
    let server = Raw::writing("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf").await;
    let url = format!("http://{}/", server.address);
    let client = client(&server.pool());
    let plain = reqwest::get(&url).await.unwrap().bytes().await.unwrap_err();
    let ours = client.get(&url).send().await.unwrap().bytes().await.unwrap_err();
    let kinds = |error: &reqwest::Error| (error.is_body(), error.is_decode(), error.is_request(), error.is_timeout());
    assert_eq!(kinds(&ours), kinds(&plain), "{ours:?} {plain:?}");
}

#[test]
fn it_can_be_shared_and_sent() {
    fn is_shared<T: Clone + Send + Sync + std::fmt::Debug + 'static>() {}
    fn is_sent<T: Send>(_: T) {}
    is_shared::<MarathonMiddleware>();
    let pool = Pool::builder("test").origin("https://api.example.com").build().unwrap();
    is_sent(client(&pool).get("https://api.example.com/").send());
}
