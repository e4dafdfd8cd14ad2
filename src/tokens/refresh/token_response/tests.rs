//! Tables of token responses: tokens, errors, and refresh tokens that must not be lost.

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

/// The access token, the refresh token, and the life in seconds.
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
        (r#"{"access_token":"a","error":{}}"#, ("a", "old-refresh", None)),
        (r#"{"access_token":"a","error":{"code":null,"message":""}}"#, ("a", "old-refresh", None)),
        (r#"{"access_token":"a","access_token":"b"}"#, ("b", "old-refresh", None)),
        (r#"{"access_token":"a","refresh_token":"r","refresh_token":null}"#, ("a", "r", None)),
        (r#"{"access_token":" a\n","refresh_token":"r\r\n"}"#, ("a", "r", None)),
        (r#"{"accessToken":"a","refreshToken":"r","expiresIn":60}"#, ("a", "r", Some(60))),
        (r#"{"AccessToken":"a","Refresh-Token":"r","EXPIRES_IN":60}"#, ("a", "r", Some(60))),
        (r#"{"code":0,"data":{"access_token":"a","refresh_token":"r","expires_in":60}}"#, ("a", "r", Some(60))),
        (r#"{"access_token":"a","tokens":{"refresh_token":"r"},"user":{"id":1}}"#, ("a", "r", None)),
        (
            r#"{"access_token":"a","other":{"access_token":"theirs","refresh_token":"theirs"}}"#,
            ("a", "old-refresh", None),
        ),
        (r#"{"access_token":"a","expires_in":1e999,"x":1e999,"refresh_token":"r"}"#, ("a", "r", None)),
        ("accessToken=a&refreshToken=r", ("a", "r", None)),
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
        // A failing server is not believed to know the token.
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
        (200, r#"{"token_type":"bearer","error_code":"invalid_grant"}"#, LoginNeeded, Some("invalid_grant")),
        (200, r#"["a","r"]"#, Transient, None),
        (200, r#""access_token""#, Transient, None),
        (200, r#"{"access_token":"a""#, Transient, None),
        (200, r#"{"access_token":"a"} trailing"#, Transient, None),
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
    for token in ["a b", "a\\nb", "a\\u0000b", "tök", "a\\u007f"] {
        let error = answer(200, format!(r#"{{"access_token":"{token}"}}"#)).expect_err(token);
        assert_eq!(error.kind(), Kind::Transient);
        assert!(error.to_string().contains("no header can carry"), "{error}");
    }
}

/// The refresh token that an answer brought although it was an error.
fn rescued(status: u16, body: &str) -> Option<String> {
    let refresh = answer(status, body).expect_err(body).take_refresh_token();
    refresh.map(|refresh| refresh.expose().to_owned())
}

#[test]
fn a_refresh_token_that_came_is_kept_whatever_came_with_it() {
    let kept = [
        r#"{"refresh_token":"r"}"#,
        r#"{"access_token":"","refresh_token":"r"}"#,
        r#"{"access_token":null,"refresh_token":"r"}"#,
        r#"{"access_token":["a"],"refresh_token":"r"}"#,
        r#"{"access_token":"a b","refresh_token":"r"}"#,
        r#"{"access_token":"a\nb","refresh_token":" r\n"}"#,
        r#"{"access_token":"\ud800","refresh_token":"r"}"#,
        r#"{"access_token":"a","error":"temporarily_unavailable","refresh_token":"r"}"#,
        r#"{"access_token":"a","error":{"code":"slow_down"},"refresh_token":"r"}"#,
        r#"{"refresh_token":"r","refresh_token":7,"refresh_token":""}"#,
        r#"{"refreshToken":"r"}"#,
        r#"{"data":{"refresh_token":"r"},"status":"ok"}"#,
        // Cut off, or with something behind it.
        r#"{"refresh_token":"r","access_token":"a""#,
        r#"{"refresh_token":"r","access_tok"#,
        r#"{"access_token":"a","refresh_token":"r"} trailing"#,
        "refresh_token=r",
        "access_token=a%20b&refresh_token=r",
    ];
    for body in kept {
        assert_eq!(rescued(200, body).as_deref(), Some("r"), "{body}");
        assert_eq!(rescued(299, body).as_deref(), Some("r"), "{body}");
        assert_eq!(rescued(400, body), None, "{body}: a refusal spends nothing");
    }
    let none = [
        r#"{"access_token":"a b"}"#,
        r#"{"access_token":"a b","refresh_token":"old-refresh"}"#,
        r#"{"refresh_token":"r"#,
        r#"{"one":{"refresh_token":"r1"},"other":{"refresh_token":"r2"}}"#,
        r#"["refresh_token","r"]"#,
        "<html><a href=\"/?a=b&refresh_token=r\">",
        "",
    ];
    for body in none {
        assert_eq!(rescued(200, body), None, "{body}");
    }
}

#[test]
fn a_server_that_hands_out_a_refresh_token_has_not_refused_it() {
    let error = answer(200, r#"{"error":"invalid_grant","refresh_token":"r"}"#).unwrap_err();
    assert_eq!((error.kind(), error.code()), (Kind::Transient, Some("invalid_grant")));
    let error = answer(200, r#"{"error":"invalid_grant","refresh_token":"old-refresh"}"#).unwrap_err();
    assert_eq!(error.kind(), Kind::LoginNeeded);
}

#[test]
fn a_compressed_answer_is_named() {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    let read = |body: &[u8]| read(StatusCode::OK, &headers, body, at(NOW), &previous());
    let error = read(b"\x1f\x8b\x08\x00\x00").unwrap_err();
    assert!(error.to_string().contains("compressed its answer") && !error.says_unspent(), "{error}");
    assert_eq!(read(br#"{"access_token":"a"}"#).unwrap().access().expose(), "a", "a field that lies");
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

/// Members of an answer, as text: any names and values, with those that count written in any way.
fn member() -> impl Strategy<Value = String> {
    let name = prop_oneof![
        Just("access_token".to_owned()),
        Just("accessToken".to_owned()),
        Just("error".to_owned()),
        Just("expires_in".to_owned()),
        Just("code".to_owned()),
        "[a-z]{1,8}",
    ];
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("\"\"".to_owned()),
        Just("1e999".to_owned()),
        Just("{}".to_owned()),
        Just("[{\"a\":[]}]".to_owned()),
        Just("{\"code\":\"invalid_grant\"}".to_owned()),
        Just("\"invalid_grant\"".to_owned()),
        Just("\"\\ud800\"".to_owned()),
        any::<i64>().prop_map(|number| number.to_string()),
        any::<String>().prop_map(|text| Value::from(text).to_string()),
    ];
    (name, leaf).prop_map(|(name, value)| format!("{}:{value}", Value::from(name)))
}

proptest! {
    #[test]
    fn no_success_with_a_refresh_token_loses_it(
        status in 200u16..300,
        before in proptest::collection::vec(member(), 0..6),
        after in proptest::collection::vec(member(), 0..6),
        name in proptest::sample::select(vec!["refresh_token", "refreshToken", "RefreshToken", "refresh-token", "REFRESH_TOKEN"]),
        token in "[!-~]{1,40}",
        nested in any::<bool>(),
    ) {
        prop_assume!(token != "old-refresh");
        let own = format!("{}:{}", Value::from(name), Value::from(token.as_str()));
        let own = if nested { format!("\"inside\":{{{own}}}") } else { own };
        let members: Vec<_> = before.into_iter().chain([own]).chain(after).collect();
        let body = format!("{{{}}}", members.join(","));
        let kept = match answer(status, &body) {
            Ok(tokens) => tokens.refresh().cloned(),
            Err(mut error) => error.take_refresh_token(),
        };
        let kept = kept.unwrap();
        prop_assert_eq!(kept.expose(), token, "{}", body);
    }

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
