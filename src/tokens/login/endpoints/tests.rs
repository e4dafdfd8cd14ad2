//! Tests of finding endpoints: by hand, from metadata, and metadata that must not be used.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use serde_json::{Value, json};
use tower::service_fn;

use super::*;
use crate::clock::SystemClock;

const ISSUER: &str = "https://auth.example.com/tenant";

type Asked = Arc<Mutex<Vec<String>>>;

/// A client of a server with these answers, and the requests that it got.
fn server(answer: impl Fn(&str) -> (u16, String) + Clone + Send + 'static) -> (Asked, Http) {
    let asked = Asked::default();
    let log = asked.clone();
    let client = service_fn(move |request: Request<Full<Bytes>>| {
        let uri = request.uri().to_string();
        log.lock().unwrap().push(uri.clone());
        let (status, body) = answer(&uri);
        async move { Ok::<_, Infallible>(Response::builder().status(status).body(Full::<Bytes>::from(body)).unwrap()) }
    });
    (asked, Http::new(client, Arc::new(SystemClock), Duration::from_secs(30)))
}

fn metadata(changes: Value) -> String {
    let mut metadata = json!({
        "issuer": ISSUER,
        "authorization_endpoint": "https://auth.example.com/authorize",
        "token_endpoint": "https://auth.example.com/token",
        "device_authorization_endpoint": "https://auth.example.com/device",
        "userinfo_endpoint": "https://auth.example.com/me",
        "authorization_response_iss_parameter_supported": true,
    });
    for (name, value) in changes.as_object().unwrap() {
        metadata[name] = value.clone();
    }
    metadata.to_string()
}

fn config(changes: Value) -> OAuthServer {
    serde_json::from_value(changes).unwrap()
}

#[tokio::test(start_paused = true)]
async fn what_is_set_by_hand_asks_nobody() {
    let (asked, http) = server(|_| (500, String::new()));
    let by_hand = config(json!({
        "issuer": ISSUER, "tokenUrl": "https://a.example.com/t", "authorizationUrl": "https://b.example.com/a?x=1",
        "deviceAuthorizationUrl": "https://c.example.com/d",
    }));
    for (grant, start) in [(Grant::Code, "https://b.example.com/a?x=1"), (Grant::Device, "https://c.example.com/d")] {
        let found = find(&by_hand, Some("https://d.example.com/me"), grant, &http).await.unwrap();
        assert_eq!(
            (found.token.to_string(), found.start.to_string()),
            ("https://a.example.com/t".into(), start.into())
        );
        assert_eq!(found.userinfo.unwrap(), "https://d.example.com/me");
        assert_eq!((found.issuer.as_deref(), found.names_issuer), (Some(ISSUER), false));
    }
    assert!(asked.lock().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_is_missing_is_looked_up_and_what_is_set_by_hand_counts() {
    let (asked, http) = server(|uri| match uri {
        "https://auth.example.com/.well-known/oauth-authorization-server/tenant" => (200, metadata(json!({}))),
        _ => (404, String::new()),
    });
    let found = find(&config(json!({ "issuer": ISSUER })), None, Grant::Code, &http).await.unwrap();
    assert_eq!(found.start, "https://auth.example.com/authorize");
    assert_eq!((found.token.to_string(), found.names_issuer), ("https://auth.example.com/token".into(), true));
    assert_eq!(found.userinfo.unwrap(), "https://auth.example.com/me");
    let partly = config(json!({ "issuer": ISSUER, "tokenUrl": "https://a.example.com/t" }));
    let found = find(&partly, None, Grant::Device, &http).await.unwrap();
    assert_eq!(
        (found.token.to_string(), found.start.to_string()),
        ("https://a.example.com/t".into(), "https://auth.example.com/device".into())
    );
    assert_eq!(asked.lock().unwrap().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn openid_discovery_comes_second_also_after_a_page_in_place_of_a_404() {
    for first in [(404, "".to_owned()), (200, "<html>".to_owned()), (401, "{}".to_owned())] {
        let (asked, http) = server(move |uri| match uri.ends_with("/tenant/.well-known/openid-configuration") {
            true => (200, metadata(json!({ "issuer": format!("{ISSUER}/") }))),
            false => first.clone(),
        });
        let server = config(json!({ "issuer": format!("{ISSUER}/") }));
        find(&server, None, Grant::Code, &http).await.unwrap();
        assert_eq!(asked.lock().unwrap().len(), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn metadata_that_must_not_be_used_is_refused() {
    for (changes, kind, expected) in [
        (
            json!({ "issuer": "https://auth.example.com/tenant/" }),
            LoginErrorKind::Untrusted,
            "is that of \"https://auth.example.com/tenant/\"",
        ),
        (json!({ "issuer": "https://evil.example.com" }), LoginErrorKind::Untrusted, "is that of"),
        (json!({ "token_endpoint": "http://auth.example.com/token" }), LoginErrorKind::Untrusted, "use https"),
        // Another server could have the codes sent to any program that listens on this machine.
        (
            json!({ "token_endpoint": "http://127.0.0.1:80/token" }),
            LoginErrorKind::Untrusted,
            "token_endpoint is not https",
        ),
        (json!({ "authorization_endpoint": "javascript:alert(1)" }), LoginErrorKind::Untrusted, "must not be used"),
        (json!({ "userinfo_endpoint": "ftp://auth.example.com/" }), LoginErrorKind::Untrusted, "must not be used"),
        (
            json!({ "authorization_endpoint": null }),
            LoginErrorKind::Config,
            "authorizationUrl: the issuer's metadata does not name it",
        ),
        (json!({ "token_endpoint": null }), LoginErrorKind::Config, "tokenUrl: the issuer's metadata does not name it"),
        (json!({ "code_challenge_methods_supported": ["plain"] }), LoginErrorKind::Config, "PKCE"),
    ] {
        let text = metadata(changes.clone());
        let (_, http) = server(move |_| (200, text.clone()));
        let error = find(&config(json!({ "issuer": ISSUER })), None, Grant::Code, &http).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{changes}: {error}");
        assert!(error.to_string().contains(expected), "{changes}: {error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_cannot_be_asked_is_not_a_mistake_in_the_settings() {
    let (_, http) = server(|_| (503, String::new()));
    let issuer = config(json!({ "issuer": ISSUER }));
    let error = find(&issuer, None, Grant::Code, &http).await.unwrap_err();
    assert_eq!((error.kind(), error.status().unwrap().as_u16()), (LoginErrorKind::Unreachable, 503));
    let (_, http) = server(|_| (404, String::new()));
    let error = find(&issuer, None, Grant::Code, &http).await.unwrap_err();
    assert_eq!(error.kind(), LoginErrorKind::Config);
    assert!(error.to_string().contains("set tokenUrl"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn what_is_missing_and_cannot_be_looked_up_is_named() {
    let (asked, http) = server(|_| (500, String::new()));
    for (settings, grant, expected) in [
        (json!({}), Grant::Code, "tokenUrl: must be set"),
        (json!({ "tokenUrl": "https://a.example.com" }), Grant::Code, "authorizationUrl: must be set"),
        (json!({ "tokenUrl": "https://a.example.com" }), Grant::Device, "deviceAuthorizationUrl: must be set"),
        (json!({ "issuer": "http://auth.example.com" }), Grant::Code, "issuer: must be an https:// URL"),
        (json!({ "tokenUrl": "x" }), Grant::Code, "tokenUrl: must be an https:// URL"),
    ] {
        let error = find(&config(settings.clone()), None, grant, &http).await.unwrap_err();
        assert_eq!(error.kind(), LoginErrorKind::Config);
        assert!(error.to_string().contains(expected), "{settings}: {error}");
    }
    assert!(asked.lock().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_server_is_filled_in_where_it_is_empty() {
    let (asked, http) = server(|_| (200, metadata(json!({ "device_authorization_endpoint": null }))));
    let found =
        filled_in(&config(json!({ "issuer": ISSUER, "tokenUrl": "https://a.example.com/t" })), &http).await.unwrap();
    assert_eq!(found.token_url.as_deref(), Some("https://a.example.com/t"));
    assert_eq!(found.authorization_url.as_deref(), Some("https://auth.example.com/authorize"));
    assert_eq!(found.device_authorization_url, None);
    let by_hand = config(json!({ "tokenUrl": "https://a.example.com/t" }));
    assert_eq!(filled_in(&by_hand, &http).await.unwrap(), by_hand);
    assert_eq!(asked.lock().unwrap().len(), 1);
}
