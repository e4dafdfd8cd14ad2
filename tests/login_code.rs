//! The login through the browser, with the callback on real sockets and a token endpoint by script.

#[path = "support/browser.rs"]
mod browser;
#[path = "support/login.rs"]
mod login;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use browser::Browser;
use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use login::{Script, callback, says, value};
use oauth_marathon::config::OAuthServer;
use oauth_marathon::login::{CallbackRefusal, LoginErrorKind, Progress};
use oauth_marathon::testing::Reply;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

const TOKENS: &str = r#"{"access_token":"at","refresh_token":"rt","token_type":"bearer","expires_in":60}"#;

/// Ends a test that hangs. No test depends on how long it takes.
async fn within<F: Future>(test: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(60), test).await.expect("the test hangs")
}

fn address(url: &str) -> String {
    value(url, "redirect_uri").unwrap().trim_start_matches("http://").split('/').next().unwrap().to_owned()
}

#[tokio::test]
async fn the_requests_are_those_of_the_rfcs() {
    within(async {
        let script = Script::new([says(200, TOKENS)]);
        let login = script.login().parameter("prompt", "consent").by_code().await.unwrap();
        let url = login.url().to_owned();
        assert!(url.starts_with("https://auth.example.com/authorize?tenant=1&response_type=code&"), "{url}");
        for (name, expected) in [
            ("client_id", "my-client"),
            ("scope", "openid offline_access"),
            ("code_challenge_method", "S256"),
            ("prompt", "consent"),
            ("redirect_uri", login.redirect_uri()),
        ] {
            assert_eq!(value(&url, name).as_deref(), Some(expected));
        }
        assert!(login.redirect_uri().starts_with("http://127.0.0.1:") && login.redirect_uri().ends_with("/callback"));
        assert!(login.time_left() > Duration::from_secs(290));
        assert_eq!(value(&url, "state").unwrap().len(), 43);
        let redirect_uri = login.redirect_uri().to_owned();

        let (browser, callback) = (Browser::new(), callback(&url, "code=c0de"));
        let (logged_in, shown) = tokio::join!(login.finish(), browser.visit(&callback));
        assert_eq!(logged_in.unwrap().tokens.refresh().unwrap().expose(), "rt");
        assert_eq!(shown.status, 200);
        for (name, expected) in [
            ("content-type", "text/html; charset=utf-8"),
            ("cache-control", "no-store"),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
        ] {
            assert_eq!(shown.headers[name], expected);
        }
        assert!(shown.headers["content-security-policy"].to_str().unwrap().contains("default-src 'none'"));

        let asked = script.asked();
        assert_eq!((asked.len(), &*asked[0].path), (1, "/token"));
        let body = &asked[0].body;
        for (name, expected) in [
            ("grant_type", "authorization_code"),
            ("code", "c0de"),
            ("client_id", "my-client"),
            ("redirect_uri", &redirect_uri),
        ] {
            assert_eq!(value(body, name).as_deref(), Some(expected), "{body}");
        }
        let verifier = value(body, "code_verifier").unwrap();
        assert!((43..=128).contains(&verifier.len()) && !url.contains(&verifier));
    })
    .await;
}

#[tokio::test]
async fn each_login_has_a_state_and_a_verifier_of_its_own() {
    let script = Script::new([]);
    let login = script.login();
    let (one, other) = (login.by_code().await.unwrap(), login.by_code().await.unwrap());
    for name in ["state", "code_challenge", "redirect_uri"] {
        assert_ne!(value(one.url(), name), value(other.url(), name), "{name}");
    }
}

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

#[tokio::test]
async fn the_port_closes_after_one_use_in_time_and_when_dropped() {
    within(async {
        let open = async |address: &str| TcpStream::connect(address).await.is_ok();
        // After one use.
        let script = Script::new([says(200, TOKENS)]);
        let login = script.login().by_code().await.unwrap();
        let (url, browser) = (login.url().to_owned(), Browser::new());
        let callback = callback(&url, "code=c");
        let (logged_in, _) = tokio::join!(login.finish(), browser.visit(&callback));
        logged_in.unwrap();
        assert!(!open(&address(&url)).await);

        // When it is dropped, and when its future is.
        let login = script.login().by_code().await.unwrap();
        let address = address(login.url());
        assert!(open(&address).await);
        drop(login);
        closed(&address).await;
        let login = script.login().by_code().await.unwrap();
        let address = self::address(login.url());
        let finish = tokio::spawn(login.finish());
        assert!(open(&address).await);
        finish.abort();
        closed(&address).await;

        // In time.
        let login = script.login().time_limit(Duration::ZERO).by_code().await.unwrap();
        let address = self::address(login.url());
        assert_eq!(login.finish().await.unwrap_err().kind(), LoginErrorKind::Expired);
        closed(&address).await;
    })
    .await;
}

/// A task that is aborted ends the next time it is looked at.
async fn closed(address: &str) {
    while TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_five_minutes_are_over_when_they_are() {
    let begun = tokio::time::Instant::now();
    let login = Script::new([]).login().by_code().await.unwrap();
    tokio::time::advance(Duration::from_secs(100)).await;
    assert_eq!(login.time_left(), Duration::from_secs(200));
    assert_eq!(login.finish().await.unwrap_err().kind(), LoginErrorKind::Expired);
    assert_eq!(begun.elapsed().as_secs(), 300);
}

#[tokio::test]
async fn slow_and_huge_requests_do_not_keep_the_browser_out() {
    within(async {
        let script = Script::new([says(200, TOKENS)]);
        let login = script.login().by_code().await.unwrap();
        let (url, browser) = (login.url().to_owned(), Browser::new());
        let finish = tokio::spawn(login.finish());
        let mut slow = Vec::new();
        for _ in 0..50 {
            let mut stream = TcpStream::connect(address(&url)).await.unwrap();
            stream.write_all(b"GET /callback?code=").await.unwrap();
            slow.push(stream);
        }
        let mut huge = TcpStream::connect(address(&url)).await.unwrap();
        let _ = huge.write_all(format!("GET /{} HTTP/1.1\r\n", "x".repeat(100_000)).as_bytes()).await;
        let mut answer = Vec::new();
        let _ = huge.read_to_end(&mut answer).await;
        assert!(!answer.starts_with(b"HTTP/1.1 200"));
        let shown = browser.visit(&callback(&url, "code=c")).await;
        assert_eq!(shown.status, 200);
        finish.await.unwrap().unwrap();
        drop(slow);
    })
    .await;
}

#[tokio::test]
async fn a_request_that_does_not_end_is_given_up_long_before_the_login() {
    let login = Script::new([]).login().by_code().await.unwrap();
    let mut slow = TcpStream::connect(address(login.url())).await.unwrap();
    slow.write_all(b"GET /callback?code=").await.unwrap();
    tokio::time::pause();
    let begun = tokio::time::Instant::now();
    let gone = async {
        let mut answer = Vec::new();
        let _ = slow.read_to_end(&mut answer).await;
    };
    let time = async {
        loop {
            tokio::time::advance(Duration::from_secs(1)).await;
        }
    };
    tokio::select! { () = gone => {}, () = time => {} }
    let took = begun.elapsed().as_secs();
    tokio::time::resume();
    // At 300 s the login itself would have closed it.
    assert!((5..=200).contains(&took), "{took}");
    assert!(login.time_left() > Duration::from_secs(90));
}

#[tokio::test]
async fn a_fixed_port_and_path_are_used_and_a_port_in_use_is_named() {
    within(async {
        let script = Script::new([says(200, TOKENS)]);
        let busy = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = busy.local_addr().unwrap().port();
        let login = script.login().redirect_uri(format!("http://localhost:{port}/auth/callback"));
        let error = login.by_code().await.unwrap_err();
        assert_eq!(error.kind(), LoginErrorKind::Listen);
        assert!(error.to_string().contains(&port.to_string()), "{error}");
        drop(busy);
        let login = login.by_code().await.unwrap();
        assert_eq!(login.redirect_uri(), format!("http://localhost:{port}/auth/callback"));
        let (browser, url) = (Browser::new(), callback(login.url(), "code=c"));
        let (logged_in, shown) = tokio::join!(login.finish(), browser.visit(&url));
        assert_eq!(shown.status, 200);
        logged_in.unwrap();
        assert_eq!(
            value(&script.asked()[0].body, "redirect_uri").unwrap(),
            format!("http://localhost:{port}/auth/callback")
        );
    })
    .await;
}

#[tokio::test]
async fn mistakes_in_the_settings_are_found_before_anything_is_sent_or_opened() {
    let script = Script::new([]);
    let mut nobody = OAuthServer::default();
    nobody.issuer = Some("https://auth.example.com".to_owned());
    for (login, expected) in [
        (script.login_at(nobody), "clientId: must be set"),
        (script.login().client_secret_in_body(), "needs a client_secret"),
        (script.login().parameter("state", "x"), "\"state\" would be sent twice"),
        (script.login().parameter("a", "x").parameter("a", "y"), "\"a\" would be sent twice"),
        (script.login().redirect_uri("http://example.com/"), "must be one of this machine"),
        (script.login().userinfo_url("http://example.com/"), "userinfo URL"),
    ] {
        let error = login.by_code().await.unwrap_err();
        assert_eq!(error.kind(), LoginErrorKind::Config);
        assert!(error.to_string().contains(expected), "{error}");
    }
    assert!(script.asked().is_empty());
}

#[tokio::test]
async fn who_it_is_comes_from_the_userinfo_endpoint_where_no_id_token_says_so() {
    within(async {
        for (userinfo, subject, unknown) in [
            (says(200, r#"{"id":583231,"login":"octo"}"#), Some("583231"), 0),
            (says(403, "no"), Some("acct"), 0),
            (says(200, "<html>"), Some("acct"), 0),
            (Reply::connection_error(), Some("acct"), 0),
        ] {
            let tokens = r#"{"access_token":"at","account_id":"acct"}"#;
            let script = Script::new([says(200, tokens), userinfo]);
            let steps = Arc::new(Mutex::new(0));
            let seen = steps.clone();
            let login = script.login().userinfo_url("https://api.example.com/user").on_progress(move |step| {
                *seen.lock().unwrap() += usize::from(matches!(step, Progress::SubjectUnknown { .. }));
            });
            let login = login.by_code().await.unwrap();
            let (browser, url) = (Browser::new(), callback(login.url(), "code=c"));
            let (logged_in, _) = tokio::join!(login.finish(), browser.visit(&url));
            assert_eq!((logged_in.unwrap().subject.as_deref(), *steps.lock().unwrap()), (subject, unknown));
            let asked = script.asked();
            assert_eq!((&*asked[1].path, &asked[1].headers["authorization"]), ("/user", &"Bearer at".parse().unwrap()));
            assert!(asked[1].headers["authorization"].is_sensitive());
        }
    })
    .await;
}
