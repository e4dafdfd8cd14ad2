//! The middleware where a credential is in use until the head of an answer has come, and not until the end of its body.

use oauth_marathon::clients::reqwest::MarathonMiddleware;
use oauth_marathon::verdict::{Answer, Classifier};
use oauth_marathon::verdict::{Kind, Verdict};
use oauth_marathon::{MarathonLayer, Pool, RequestContext};
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware};

use crate::support::loopback::{Loopback, Raw, credential, log, status};

fn client(layer: MarathonLayer) -> ClientWithMiddleware {
    let middleware = MarathonMiddleware::new(layer).hold_until_body_ends(false);
    ClientBuilder::new(reqwest::Client::new()).with(middleware).build()
}

fn of(pool: &Pool) -> ClientWithMiddleware {
    client(MarathonLayer::new(pool.clone()))
}

#[tokio::test]
async fn a_successful_answer_is_whole_and_its_credential_is_free_at_once() {
    let server = Loopback::refusing(&[("work", 429)]).await;
    let pool = server.pool(&["work", "home"]);
    let url = server.url("/v1/chat?x=1#part");
    for attempts in [2, 0] {
        let answer = of(&pool).post(&url).body("hello").send().await.unwrap();
        let plain = reqwest::get(&url).await.unwrap();
        assert_eq!((answer.status(), answer.version(), answer.url()), (plain.status(), plain.version(), plain.url()));
        assert_eq!((answer.remote_addr(), answer.content_length()), (Some(server.address), Some(15)));
        assert_eq!(answer.headers().len(), plain.headers().len());
        let report = RequestContext::of(answer.extensions()).map_or(0, |context| context.attempts().len());
        assert_eq!(report, attempts, "a report of more than one attempt");
        let home = credential(&pool, "home");
        assert_eq!((home.in_flight, home.failures), (0, 0));
        assert_eq!(answer.text().await.unwrap(), "home says hello");
    }
    assert_eq!(server.tokens(), ["work", "home", "", "home", ""]);
}

#[tokio::test]
async fn a_failed_answer_is_read_for_its_rules_and_remembered_as_ever() {
    let server = Loopback::refusing(&[("work", 429)]).await;
    let client = of(&server.pool(&["work"]));
    for path in ["/first", "/second"] {
        let answer = client.get(server.url(path)).send().await.unwrap();
        assert_eq!((answer.status().as_u16(), answer.url().as_str()), (429, server.url(path).as_str()));
        assert_eq!(answer.text().await.unwrap(), "work is refused");
    }
    assert_eq!(server.tokens(), ["work"]);
}

#[tokio::test]
async fn a_body_that_breaks_off_is_reqwests_own_error_and_no_failure_of_the_credential() {
    let server = Raw::writing("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf").await;
    let pool = server.pool();
    let answer = of(&pool).get(format!("http://{}/", server.address)).send().await.unwrap();
    assert!(answer.bytes().await.unwrap_err().is_decode());
    assert!(pool.snapshot().credentials.iter().all(|credential| credential.failures == 0));
}

#[tokio::test]
async fn a_stream_that_fails_before_its_content_still_moves_the_request_to_the_next_account() {
    const LIMITED: &str =
        "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"rate_limit_error\",\"message\":\"slow\"}}\n\n";
    let server = Loopback::start(|seen| async move {
        let text = if seen.token() == "work" { LIMITED.to_owned() } else { "data: {\"text\":1}\n\n".to_owned() };
        let mut answer = status(200, text);
        answer.headers_mut().insert("content-type", "text/event-stream".parse().unwrap());
        answer
    })
    .await;
    let pool = server.pool(&["work", "home"]);
    let answer = of(&pool).post(server.url("/v1/chat")).body("hello").send().await.unwrap();
    assert_eq!((answer.status().as_u16(), server.tokens()), (200, vec!["work".to_owned(), "home".to_owned()]));
    assert_eq!(credential(&pool, "home").in_flight, 1, "a stream is held until it ends");
    assert_eq!(answer.text().await.unwrap(), "data: {\"text\":1}\n\n");
    assert_eq!(credential(&pool, "home").in_flight, 0);
    assert!(credential(&pool, "work").failures == 1);
}

/// Takes every 200 of these accounts for a server error.
struct Refusing(&'static [&'static str]);

impl Classifier for Refusing {
    fn answer(&self, answer: &Answer<'_>) -> Option<Verdict> {
        let account = answer.headers().get("x-account")?.to_str().ok()?;
        (self.0.contains(&account) && answer.status() == 200).then_some(Verdict::new(Kind::Throttled))
    }
}

#[tokio::test]
async fn of_several_successful_answers_that_a_rule_refuses_each_keeps_its_own_body() {
    let server = Loopback::start(|seen| async move {
        let account = seen.token().to_owned();
        let mut answer = status(200, format!("{account} says"));
        answer.headers_mut().insert("x-account", account.parse().unwrap());
        answer
    })
    .await;
    for (refused, tokens, expected) in [
        (&["work"][..], &["work", "home"][..], "home"),
        (&["work", "home"], &["work", "home"], "home"),
        (&["home"], &["work"], "work"),
    ] {
        let before = server.tokens().len();
        let pool = server.pool(&["work", "home"]);
        let client = client(MarathonLayer::new(pool.clone()).classifier(Refusing(refused)));
        let context = RequestContext::new();
        let answer = client.get(server.url("/x")).with_extension(context.clone()).send().await.unwrap();
        assert_eq!(server.tokens()[before..], *tokens, "{:?}", log(&context));
        assert_eq!((answer.headers()["x-account"].to_str().unwrap(), answer.url().path()), (expected, "/x"));
        assert_eq!(answer.text().await.unwrap(), format!("{expected} says"), "{refused:?}");
        // All are cooling: the pool answers from what it remembers.
        if refused.len() == 2 {
            let answer = client.get(server.url("/y")).send().await.unwrap();
            assert_eq!(answer.url().path(), "/y");
        }
    }
}
