use http::HeaderValue;
use proptest::prelude::*;

use super::*;

const NOW: u64 = 1_800_000_000;

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

fn previous() -> TokenSet {
    TokenSet::new("old-access").with_refresh("old-refresh").expires_at(at(NOW - 1))
}

fn answer(status: u16, body: impl AsRef<[u8]>) -> Result<TokenSet, RefreshError> {
    read(StatusCode::from_u16(status).unwrap(), &HeaderMap::new(), body.as_ref(), at(NOW), &previous())
}

/// The access token, the refresh token and the life in seconds.
type Meaning = (&'static str, &'static str, Option<u64>);

#[test]
fn a_success_is_read_tolerantly() {
    let cases: &[(&str, Meaning)] = &[
        (
            r#"{"access_token":"a","token_type":"Bearer","expires_in":3600,"refresh_token":"r","scope":"x"}"#,
            ("a", "r", Some(3600)),
        ),
        (r#"{"access_token":"a"}"#, ("a", "old-refresh", None)),
        (r#"{"access_token":"a","refresh_token":""}"#, ("a", "old-refresh", None)),
        (r#"{"access_token":"a","refresh_token":null}"#, ("a", "old-refresh", None)),
        (r#"{"access_token":"a","refresh_token":7}"#, ("a", "old-refresh", None)),
        (r#"{"access_token":"a","expires_in":"3599"}"#, ("a", "old-refresh", Some(3599))),
        (r#"{"access_token":"a","expires_in":" 3599 "}"#, ("a", "old-refresh", Some(3599))),
        (r#"{"access_token":"a","expires_in":3600.0}"#, ("a", "old-refresh", Some(3600))),
        (r#"{"access_token":"a","expires_in":"60.0"}"#, ("a", "old-refresh", Some(60))),
        (r#"{"access_token":"a","expires_in":1}"#, ("a", "old-refresh", Some(1))),
        (r#"{"access_token":"a","expires_in":0}"#, ("a", "old-refresh", None)),
        (r#"{"access_token":"a","expires_in":0.5}"#, ("a", "old-refresh", None)),
        (r#"{"access_token":"a","expires_in":-1}"#, ("a", "old-refresh", None)),
        (r#"{"access_token":"a","expires_in":315360000}"#, ("a", "old-refresh", Some(315_360_000))),
        (r#"{"access_token":"a","expires_in":316224001}"#, ("a", "old-refresh", None)),
        (r#"{"access_token":"a","expires_in":99999999999999999999999999}"#, ("a", "old-refresh", None)),
        (r#"{"access_token":"a","expires_in":1e300}"#, ("a", "old-refresh", None)),
        (r#"{"access_token":"a","expires_in":"inf"}"#, ("a", "old-refresh", None)),
        (r#"{"access_token":"a","expires_in":"NaN"}"#, ("a", "old-refresh", None)),
        (r#"{"access_token":"a","expires_in":"soon"}"#, ("a", "old-refresh", None)),
        (r#"{"access_token":"a","expires_in":[3600]}"#, ("a", "old-refresh", None)),
        (r#"{"access_token":"a","expires_at":1800000060}"#, ("a", "old-refresh", Some(60))),
        (r#"{"access_token":"a","expires_at":"1800000060"}"#, ("a", "old-refresh", Some(60))),
        (r#"{"access_token":"a","expires_in":null,"expires_at":1800000060}"#, ("a", "old-refresh", Some(60))),
        (r#"{"access_token":"a","expires_in":5,"expires_at":1800000060}"#, ("a", "old-refresh", Some(5))),
        (r#"{"access_token":"a","expires_in":0,"expires_at":1800000060}"#, ("a", "old-refresh", None)),
        (r#"{"access_token":"a","expires_at":1799999999}"#, ("a", "old-refresh", None)),
        (r#"{"access_token":"a","expires_at":1800000060000}"#, ("a", "old-refresh", None)),
        (r#"{"access_token":"a","expires_at":"2027-01-15T08:00:00Z"}"#, ("a", "old-refresh", None)),
        (r#"{"access_token":"a","id_token":{"deep":[[[1e999]]]},"code":"ok"}"#, ("a", "old-refresh", None)),
        (r#"{"access_token":"a","error":null}"#, ("a", "old-refresh", None)),
        (r#"{"access_token":"a","error":""}"#, ("a", "old-refresh", None)),
        (r#"{"access_token":"a","error":false}"#, ("a", "old-refresh", None)),
        (r#"{"access_token":"a\u002fb"}"#, ("a/b", "old-refresh", None)),
        ("\u{feff}{\"access_token\":\"a\"}", ("a", "old-refresh", None)),
        ("\u{feff}\r\n\t {\"access_token\":\"a\"}\n\n", ("a", "old-refresh", None)),
        ("access_token=gho_a&scope=repo&token_type=bearer", ("gho_a", "old-refresh", None)),
        ("access_token=a%2Bb&expires_in=28800&refresh_token=ghr_r\n", ("a+b", "ghr_r", Some(28800))),
    ];
    for (body, (access, refresh, life)) in cases {
        let tokens = answer(200, body).unwrap_or_else(|error| panic!("{body}: {error}"));
        assert_eq!(tokens.access().expose(), *access, "{body}");
        assert_eq!(tokens.refresh().unwrap().expose(), *refresh, "{body}");
        assert_eq!(tokens.expiry(), life.map(|life| at(NOW + life)), "{body}");
    }
    assert!(answer(201, r#"{"access_token":"a"}"#).is_ok());
}

#[test]
fn a_failure_says_what_it_means_for_the_credential() {
    use Kind::{LoginNeeded, Misconfigured, Transient};
    let cases: &[(u16, &str, Kind, Option<&str>)] = &[
        (
            400,
            r#"{"error":"invalid_grant","error_description":"Token has been revoked."}"#,
            LoginNeeded,
            Some("invalid_grant"),
        ),
        (401, r#"{"error":"invalid_grant"}"#, LoginNeeded, Some("invalid_grant")),
        (200, r#"{"error":"bad_refresh_token"}"#, LoginNeeded, Some("bad_refresh_token")),
        (200, "error=bad_refresh_token&error_description=gone", LoginNeeded, Some("bad_refresh_token")),
        (
            401,
            r#"{"error":{"message":"used","type":"invalid_request_error","param":null,"code":"refresh_token_reused"}}"#,
            LoginNeeded,
            Some("refresh_token_reused"),
        ),
        (
            401,
            r#"{"error":{"type":"refresh_token_invalidated","code":null}}"#,
            LoginNeeded,
            Some("refresh_token_invalidated"),
        ),
        (400, r#"{"error_code":"invalid_refresh_token"}"#, LoginNeeded, Some("invalid_refresh_token")),
        (
            401,
            r#"{"error":"invalid_request","code":"refresh_token_expired"}"#,
            LoginNeeded,
            Some("refresh_token_expired"),
        ),
        (401, r#"{"error":{"code":"token_expired"}}"#, LoginNeeded, Some("token_expired")),
        (400, r#"{"error":{"code":"app_session_expired"}}"#, LoginNeeded, Some("app_session_expired")),
        (401, r#"{"error":{"code":"token_revoked"}}"#, LoginNeeded, Some("token_revoked")),
        (403, r#"{"error":{"code":"account_deactivated"}}"#, LoginNeeded, Some("account_deactivated")),
        (200, r#"{"access_token":"a","error":"invalid_grant"}"#, LoginNeeded, Some("invalid_grant")),
        (401, r#"{"error":"invalid_client"}"#, Misconfigured, Some("invalid_client")),
        (400, r#"{"error":"unauthorized_client"}"#, Misconfigured, Some("unauthorized_client")),
        (400, r#"{"error":"unsupported_grant_type"}"#, Misconfigured, Some("unsupported_grant_type")),
        (400, r#"{"error":"invalid_scope"}"#, Misconfigured, Some("invalid_scope")),
        (400, r#"{"error":{"type":"invalid_request"}}"#, Misconfigured, Some("invalid_request")),
        // What a server in trouble says of a token is not believed.
        (500, r#"{"error":"invalid_grant"}"#, Transient, Some("invalid_grant")),
        (429, r#"{"error":"invalid_grant"}"#, Transient, Some("invalid_grant")),
        (429, r#"{"error":{"type":"rate_limit_error"}}"#, Transient, Some("rate_limit_error")),
        (503, r#"{"error":"temporarily_unavailable"}"#, Transient, Some("temporarily_unavailable")),
        (400, r#"{"error":"internal_failure"}"#, Transient, Some("internal_failure")),
        (400, r#"{"error":"slow_down"}"#, Transient, Some("slow_down")),
        (401, "{}", Transient, None),
        (403, r#"{"code":"unauthenticated:bad-credentials","error":"could not be validated"}"#, Transient, None),
        // Only a code counts, not a word in a text.
        (400, r#"{"error":"x","error_description":"invalid_grant"}"#, Transient, Some("x")),
        (400, r#"{"error":"account invalid_grant is busy"}"#, Transient, None),
        (400, r#"{"error":"INVALID_GRANT"}"#, Transient, Some("INVALID_GRANT")),
        (400, r#"{"error":["invalid_grant"]}"#, Transient, None),
        // No token, or no token response.
        (200, "{}", Transient, None),
        (200, r#"{"access_token":""}"#, Transient, None),
        (200, r#"{"access_token":null}"#, Transient, None),
        (200, r#"{"access_token":42}"#, Transient, None),
        (200, r#"{"access_token":"a","error":{}}"#, Transient, None),
        (200, r#"{"token_type":"bearer","error_code":"invalid_grant"}"#, LoginNeeded, Some("invalid_grant")),
        (200, r#"["a","r"]"#, Transient, None),
        (200, r#""access_token""#, Transient, None),
        (200, r#"{"access_token":"a""#, Transient, None),
        (200, r#"{"access_token":"a"} trailing"#, Transient, None),
        (200, r#"{"access_token":"a","access_token":"b"}"#, Transient, None),
        (200, "", Transient, None),
        (200, "access_token=", Transient, None),
        (200, "<!DOCTYPE html><html>sign in</html>", Transient, None),
        (502, "<html>bad gateway</html>", Transient, None),
        (302, r#"{"access_token":"a"}"#, Transient, None),
        (400, r#"{"access_token":"a"}"#, Transient, None),
    ];
    for (status, body, kind, code) in cases {
        let error = answer(*status, body).expect_err(body);
        assert_eq!((error.kind(), error.code()), (*kind, *code), "{status} {body}");
        assert_eq!(error.status().unwrap().as_u16(), *status);
    }
}

#[test]
fn an_access_token_that_no_header_can_carry_is_refused_and_not_shown() {
    for token in ["a b", "a\\nb", "a\\u0000b", "tök", " a", "a\\u007f"] {
        let error = answer(200, format!(r#"{{"access_token":"{token}"}}"#)).expect_err(token);
        assert_eq!(error.kind(), Kind::Transient);
        assert!(error.to_string().contains("no header can carry"), "{error}");
    }
}

#[test]
fn a_token_in_the_place_of_the_code_is_not_shown() {
    for code in ["old-refresh", "token.old-refresh", "old-access", "old-acc"] {
        let error = answer(400, format!(r#"{{"error":"{code}"}}"#)).unwrap_err();
        assert_eq!(error.code(), None, "{error:?}");
    }
    // A known code is one, whatever the tokens are.
    let status = StatusCode::BAD_REQUEST;
    let short = TokenSet::new("a").with_refresh("i");
    let error = read(status, &HeaderMap::new(), br#"{"error":"invalid_grant"}"#, at(NOW), &short).unwrap_err();
    assert_eq!(error.code(), Some("invalid_grant"));
}

#[test]
fn retry_after_is_seconds_or_a_date_and_only_for_what_may_pass() {
    let wait = |status: u16, value: &str| {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, HeaderValue::from_str(value).unwrap());
        let status = StatusCode::from_u16(status).unwrap();
        let body = if status == StatusCode::BAD_REQUEST { r#"{"error":"invalid_grant"}"# } else { "slow down" };
        read(status, &headers, body.as_bytes(), at(NOW), &previous()).unwrap_err().retry_after()
    };
    let date = httpdate::fmt_http_date(at(NOW + 90));
    assert_eq!(wait(429, "17"), Some(Duration::from_secs(17)));
    assert_eq!(wait(503, " 0 "), Some(Duration::ZERO));
    assert_eq!(wait(429, &date), Some(Duration::from_secs(90)));
    for unreadable in ["-1", "1.5", "soon", "99999999999999999999999", "Thu, 01 Jan 1970 00:00:00 GMT"] {
        assert_eq!(wait(429, unreadable), None, "{unreadable}");
    }
    assert_eq!(wait(400, "17"), None);
}

#[test]
fn without_a_refresh_token_before_and_after_there_is_none() {
    let previous = TokenSet::new("old");
    let tokens = read(StatusCode::OK, &HeaderMap::new(), br#"{"access_token":"a"}"#, at(NOW), &previous).unwrap();
    assert!(tokens.refresh().is_none());
}

proptest! {
    #[test]
    fn no_answer_makes_it_panic(
        status in 100u16..1000,
        retry in proptest::collection::vec(any::<u8>(), 0..32),
        body in proptest::collection::vec(any::<u8>(), 0..512),
    ) {
        let mut headers = HeaderMap::new();
        if let Ok(value) = HeaderValue::from_bytes(&retry) {
            headers.insert(RETRY_AFTER, value);
        }
        let _ = read(StatusCode::from_u16(status).unwrap(), &headers, &body, at(NOW), &previous());
    }

    #[test]
    fn no_stated_life_makes_it_panic_or_lose_the_token(seconds in any::<f64>(), text in any::<bool>(), field in any::<bool>()) {
        let value = if text { Value::from(seconds.to_string()) } else { Value::from(seconds) };
        let field = if field { "expires_in" } else { "expires_at" };
        let body = serde_json::json!({ "access_token": "a", field: value }).to_string();
        let tokens = answer(200, body).unwrap();
        if let Some(expiry) = tokens.expiry() {
            let life = expiry.duration_since(at(NOW)).unwrap();
            prop_assert!((SHORTEST_LIFE..=LONGEST_LIFE).contains(&life));
        }
    }
}
