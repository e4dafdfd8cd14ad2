//! The requests of a login: to which endpoints, and with which parameters.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use oauth_marathon::config::OAuthServer;
use oauth_marathon::tokens::login::{LoginErrorKind, Progress};
use oauth_marathon_test::Reply;
use sha2::{Digest as _, Sha256};

use crate::code::common::{TOKENS, within};
use crate::support::browser::Browser;
use crate::support::login::{Script, callback, says, value};

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
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(&verifier));
        assert_eq!(value(&url, "code_challenge").unwrap(), challenge);
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
