//! Tests of reading answers to a login: tokens, refusals, and device codes.

use std::time::UNIX_EPOCH;

use http::HeaderMap;
use serde_json::json;
use zeroize::Zeroizing;

use super::*;

fn reply(status: u16, body: &str) -> Result<Reply, RefreshError> {
    let body = Zeroizing::new(body.as_bytes().to_vec());
    let (status, headers) = (status.try_into().unwrap(), HeaderMap::new());
    Ok(Reply { status, headers, body, sent_at: UNIX_EPOCH, cut: None })
}

/// The meaning of an answer, in a word or two.
fn said(status: u16, body: &str) -> String {
    match tokens(reply(status, body), &Secret::new("sp3nt")) {
        TokenAnswer::Tokens(tokens, _) => format!("tokens {}", tokens.access().expose()),
        TokenAnswer::Failed(error, _) => format!("{:?}: {error}", error.kind()),
        other => format!("{other:?}"),
    }
}

#[test]
fn every_answer_of_a_token_endpoint_means_one_thing() {
    for (status, body, expected) in [
        (200, r#"{"access_token":"at","token_type":"Bearer","expires_in":"3600"}"#, "tokens at"),
        (200, r#"{"access_token":"at"}"#, "tokens at"),
        (200, "access_token=at&scope=&token_type=bearer", "tokens at"),
        (400, r#"{"error":"authorization_pending"}"#, "Pending"),
        // As GitHub says it.
        (200, r#"{"error":"authorization_pending","error_description":"..."}"#, "Pending"),
        (428, r#"{"error":"authorization_pending"}"#, "Pending"),
        (400, r#"{"error":"slow_down"}"#, "SlowDown(None)"),
        (200, r#"{"error":"slow_down","interval":10}"#, "SlowDown(Some(10s))"),
        (429, r#"{"error":"slow_down","interval":"7"}"#, "SlowDown(Some(7s))"),
        (400, r#"{"error":"slow_down","interval":0}"#, "SlowDown(Some(1s))"),
        (400, r#"{"error":"slow_down","interval":1e30}"#, "SlowDown(Some(3600s))"),
        (400, r#"{"error":"slow_down","interval":1e9}"#, "SlowDown(Some(3600s))"),
        (400, r#"{"error":"access_denied"}"#, "Denied: the login was denied (400, access_denied)"),
        (200, r#"{"error":"access_denied"}"#, "Denied: the login was denied (200, access_denied)"),
        (
            400,
            r#"{"error":"expired_token"}"#,
            "Expired: the code expired before it was confirmed; start again (400, expired_token)",
        ),
        (
            400,
            r#"{"error":"invalid_grant"}"#,
            "Refused: the server does not accept the code; start again (400, invalid_grant)",
        ),
        (
            401,
            r#"{"error":"invalid_client"}"#,
            "Refused: the server refused the client; check clientId and the client's secret (401, invalid_client)",
        ),
        (
            400,
            r#"{"error":"sp3nt"}"#,
            "Refused: the server refused without saying why; check the URL of its endpoint (400)",
        ),
        (404, "<html>", "Refused: the server refused without saying why; check the URL of its endpoint (404)"),
        (302, "", "Refused: the server refused without saying why; check the URL of its endpoint (302)"),
        (200, "<html>", "Unreachable: the server gave an answer that is no token response (200)"),
        (200, "{}", "Unreachable: the server gave an answer that is no token response (200)"),
        (200, "", "Unreachable: the server gave an answer that is no token response (200)"),
        (500, "<html>", "Unreachable: the server gave an answer that is no token response (500)"),
        (
            503,
            r#"{"error":"invalid_grant"}"#,
            "Unreachable: the server cannot complete logins for now (503, invalid_grant)",
        ),
        (
            400,
            r#"{"error":"temporarily_unavailable"}"#,
            "Unreachable: the server cannot complete logins for now (400, temporarily_unavailable)",
        ),
    ] {
        assert_eq!(said(status, body), expected, "{status} {body}");
    }
}

#[test]
fn a_device_code_comes_with_what_people_need_and_nothing_that_could_harm_them() {
    let good = json!({
        "device_code": "dc", "user_code": "WDJB-MJHT", "verification_uri": "https://auth.example.com/device",
        "verification_uri_complete": "https://auth.example.com/device?user_code=WDJB-MJHT", "expires_in": 900, "interval": 7,
    });
    let with = |changes: Value| {
        let mut answer = good.clone();
        for (name, value) in changes.as_object().unwrap() {
            answer[name] = value.clone();
        }
        device(reply(200, &answer.to_string()))
    };
    let plain = with(json!({})).unwrap();
    assert_eq!((plain.device_code.expose(), &*plain.user_code), ("dc", "WDJB-MJHT"));
    assert_eq!((plain.expires_in.as_secs(), plain.interval.as_secs()), (900, 7));
    assert!(plain.verification_uri_complete.is_some());

    let odd = with(json!({ "expires_in": null, "interval": null, "verification_uri_complete": "javascript:alert(1)" }));
    let odd = odd.unwrap();
    assert_eq!((odd.expires_in.as_secs(), odd.interval.as_secs(), odd.verification_uri_complete), (900, 5, None));
    let far = with(json!({ "expires_in": "1e9", "interval": 0 })).unwrap();
    assert_eq!((far.expires_in.as_secs(), far.interval.as_secs()), (86400, 1));
    let far = with(json!({ "expires_in": -1, "interval": u64::MAX })).unwrap();
    assert_eq!((far.expires_in.as_secs(), far.interval.as_secs()), (900, 3600));
    let old = json!({ "device_code": "dc", "user_code": "x", "verification_url": "https://auth.example.com/device" });
    assert_eq!(device(reply(200, &old.to_string())).unwrap().verification_uri, "https://auth.example.com/device");

    for (changes, expected) in [
        (json!({ "user_code": "\u{1b}[2J" }), "odd ones"),
        (json!({ "user_code": "x".repeat(65) }), "longer than 64"),
        (json!({ "verification_uri": "http://auth.example.com/device" }), "no https URL"),
        (json!({ "verification_uri": "javascript:alert(1)" }), "no https URL"),
        (json!({ "verification_uri": "" }), "no https URL"),
    ] {
        let error = with(changes.clone()).err().unwrap();
        assert_eq!(error.kind(), LoginErrorKind::Untrusted);
        assert!(error.to_string().contains(expected), "{changes}: {error}");
    }
}

#[test]
fn a_refused_device_code_says_why() {
    for (status, body, kind, expected) in [
        (400, r#"{"error":"invalid_scope"}"#, LoginErrorKind::Refused, "check scopes (400, invalid_scope)"),
        (200, r#"{"error":"device_flow_disabled"}"#, LoginErrorKind::Refused, "(200, device_flow_disabled)"),
        (404, "<html>", LoginErrorKind::Refused, "check deviceAuthorizationUrl (404)"),
        (200, r#"{"device_code":"dc"}"#, LoginErrorKind::Refused, "check deviceAuthorizationUrl (200)"),
        (503, "<html>", LoginErrorKind::Unreachable, "for now (503)"),
        (429, r#"{"error":"slow_down"}"#, LoginErrorKind::Unreachable, "for now (429)"),
    ] {
        let error = device(reply(status, body)).err().unwrap();
        assert_eq!(error.kind(), kind, "{body}");
        assert!(error.to_string().ends_with(expected), "{body}: {error}");
    }
}
