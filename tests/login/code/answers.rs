//! The browser's answers to a login, and the pages that it gets.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use oauth_marathon::config::OAuthServer;
use oauth_marathon::tokens::login::{CallbackRefusal, LoginErrorKind, Progress};
use oauth_marathon_test::Reply;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

use crate::code::common::{TOKENS, address, within};
use crate::support::browser::Browser;
use crate::support::login::{Script, callback, says, value};

#[tokio::test]
async fn what_is_not_the_answer_is_refused_with_a_page_and_the_login_goes_on() {
    within(async {
        let script = Script::new([says(200, TOKENS)]);
        let steps = Arc::new(Mutex::new(Vec::new()));
        let seen = steps.clone();
        let login = script.login().on_progress(move |step| {
            seen.lock().unwrap().push(step.clone());
            panic!("costs its own report only");
        });
        let login = login.by_code().await.unwrap();
        let (url, browser) = (login.url().to_owned(), Browser::new());
        let good = callback(&url, "code=c0de");
        let base = value(&url, "redirect_uri").unwrap();
        let get = |uri: &str, host: Option<&str>, origin: Option<&str>| {
            let mut request = Request::get(uri);
            if let Some(host) = host {
                request = request.header("host", host);
            }
            if let Some(origin) = origin {
                request = request.header("origin", origin);
            }
            request.body(Full::<Bytes>::default()).unwrap()
        };
        let visits = async {
            for (request, status, text) in [
                (get(&format!("{base}?code=c0de&state=other"), None, None), 400, "belongs to another login"),
                (get(&format!("{base}?code=c0de"), None, None), 400, "lacks the state"),
                (get(&format!("{good}&code=c1de"), None, None), 400, "says something twice"),
                (get(&good, Some("evil.example.com"), None), 400, "another host name"),
                (get(&good, None, Some("https://evil.example.com")), 400, "another origin"),
                (get(&format!("http://{}/favicon.ico", address(&url)), None, None), 404, "nothing here"),
            ] {
                let shown = browser.send(request).await;
                assert_eq!(shown.status, status, "{shown:?}");
                assert!(shown.html.contains(text), "{shown:?}");
            }
            let post = Request::post(&good).body(Full::default()).unwrap();
            let shown = browser.send(post).await;
            assert_eq!((shown.status.as_u16(), &shown.headers["allow"]), (405, &"GET".parse().unwrap()));
            assert!(script.asked().is_empty(), "nothing was sent");
            browser.visit(&good).await
        };
        let (logged_in, shown) = tokio::join!(login.finish(), visits);
        assert_eq!((shown.status.as_u16(), logged_in.unwrap().tokens.access().expose()), (200, "at"));
        let refused: Vec<_> = steps
            .lock()
            .unwrap()
            .iter()
            .filter_map(|step| match step {
                Progress::CallbackRefused(refusal) => Some(*refusal),
                _ => None,
            })
            .collect();
        use CallbackRefusal::{ForeignHost, ForeignOrigin, Malformed, MissingState, WrongState};
        assert_eq!(refused, [WrongState, MissingState, Malformed, ForeignHost, ForeignOrigin]);
    })
    .await;
}

/// The others come while the first one's code is being exchanged.
#[tokio::test]
async fn another_answer_with_the_same_state_is_refused_and_the_same_one_gets_the_same_page() {
    within(async {
        let gate = Arc::new(Semaphore::new(0));
        let script = Script::new([says(200, TOKENS).held(gate.clone())]);
        let login = script.login().by_code().await.unwrap();
        let (url, browser) = (login.url().to_owned(), Browser::new());
        let good = callback(&url, "code=c0de");
        let finish = tokio::spawn(login.finish());
        let first = tokio::spawn({
            let (browser, good) = (browser.clone(), good.clone());
            async move { browser.visit(&good).await }
        });
        while script.asked().is_empty() {
            tokio::task::yield_now().await;
        }
        for query in ["code=c1de", "error=access_denied"] {
            let shown = browser.visit(&callback(&url, query)).await;
            assert!(shown.status == 400 && shown.html.contains("has already had an answer"), "{shown:?}");
        }
        let mut again = TcpStream::connect(address(&url)).await.unwrap();
        let path = good.split_once("/callback").unwrap().1;
        let request = format!("GET /callback{path} HTTP/1.1\r\nhost: {}\r\n\r\n", address(&url));
        again.write_all(request.as_bytes()).await.unwrap();
        gate.add_permits(1);
        finish.await.unwrap().unwrap();
        let mut answer = String::new();
        again.read_to_string(&mut answer).await.unwrap();
        assert!(answer.contains("<h1>Logged in</h1>"), "{answer}");
        assert!(first.await.unwrap().html.contains("<h1>Logged in</h1>"));
        assert_eq!(script.asked().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_login_ends_as_the_browser_and_the_page_says_so() {
    within(async {
        for (query, acts, kind, text) in [
            (
                "error=access_denied&error_description=x",
                vec![],
                LoginErrorKind::Denied,
                "the login was denied (access_denied)",
            ),
            ("error=invalid_scope", vec![], LoginErrorKind::Refused, "check scopes"),
            ("error=%3Cscript%3E", vec![], LoginErrorKind::Refused, "the server refused the login"),
            ("code=c", vec![says(400, r#"{"error":"invalid_grant"}"#)], LoginErrorKind::Refused, "invalid_grant"),
            ("code=c", vec![says(200, "<html>hello")], LoginErrorKind::Unreachable, "no token response"),
            ("code=c", vec![says(500, "<html>")], LoginErrorKind::Unreachable, "(500)"),
            (
                "code=c",
                vec![Reply::connection_error()],
                LoginErrorKind::Unreachable,
                "the exchange with the server failed",
            ),
            ("code=c", vec![says(302, "")], LoginErrorKind::Refused, "(302)"),
        ] {
            let expected = acts.len();
            let script = Script::new(acts);
            let login = script.login().by_code().await.unwrap();
            let (browser, url) = (Browser::new(), callback(login.url(), query));
            let (outcome, shown) = tokio::join!(login.finish(), browser.visit(&url));
            let error = outcome.unwrap_err();
            assert_eq!(error.kind(), kind, "{error}");
            assert!(error.to_string().contains(text), "{error}");
            assert!(shown.status == 400 && shown.html.contains(text) && !shown.html.contains("<script>"), "{shown:?}");
            assert_eq!(script.asked().len(), expected, "a code is sent once");
        }
    })
    .await;
}

#[tokio::test]
async fn an_answer_of_another_issuer_ends_the_login_before_its_code_is_used() {
    within(async {
        let script = Script::new([]);
        let mut server = OAuthServer::default();
        server.issuer = Some("https://auth.example.com".to_owned());
        server.token_url = Some("https://auth.example.com/token".to_owned());
        server.authorization_url = Some("https://auth.example.com/authorize".to_owned());
        server.client_id = Some("my-client".to_owned());
        let login = script.login_at(server).by_code().await.unwrap();
        let (browser, url) = (Browser::new(), callback(login.url(), "code=c&iss=https://evil.example.com"));
        let (outcome, shown) = tokio::join!(login.finish(), browser.visit(&url));
        assert_eq!(outcome.unwrap_err().kind(), LoginErrorKind::Untrusted);
        assert!(shown.status == 400 && shown.html.contains("another issuer"), "{shown:?}");
        assert!(script.asked().is_empty());
    })
    .await;
}
