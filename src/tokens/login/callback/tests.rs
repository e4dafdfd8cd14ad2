//! Tests of the decision about requests to the callback.

use http::Request;
use proptest::prelude::*;

use super::*;

const STATE: &str = "st4te";
const ISSUER: &str = "https://auth.example.com";

fn expected(issuer: Option<&str>, names_issuer: bool) -> Expected {
    Expected {
        authority: "127.0.0.1:4711".into(),
        path: "/callback".into(),
        state: Secret::new(STATE),
        issuer: issuer.map(Into::into),
        names_issuer,
    }
}

fn head(uri: &str, headers: &[(&str, &str)]) -> Parts {
    let request = headers.iter().fold(Request::get(uri), |request, (name, value)| request.header(*name, *value));
    request.body(()).unwrap().into_parts().0
}

/// The ruling on a request, in a word or two.
fn ruling(head: &Parts, expected: &Expected) -> String {
    match judge(head, expected) {
        Ruling::Accepted(Callback::Code(code)) => format!("code {}", code.expose()),
        Ruling::Accepted(Callback::Error(code)) => format!("error {code}"),
        other => format!("{other:?}"),
    }
}

fn of_query(query: &str, expected: &Expected) -> String {
    ruling(&head(&format!("/callback?{query}"), &[("host", "127.0.0.1:4711")]), expected)
}

#[test]
fn only_the_answer_to_this_login_is_accepted() {
    let expected = expected(None, false);
    for (query, outcome) in [
        ("code=c&state=st4te", "code c"),
        ("state=st4te&code=c%2Fd&scope=x&session_state=y", "code c/d"),
        ("code=c&state=st4te&error=", "code c"),
        ("error=access_denied&state=st4te&error_description=no", "error access_denied"),
        ("code=c", "Refused(MissingState)"),
        ("", "Refused(MissingState)"),
        ("code=c&state=", "Refused(MissingState)"),
        ("code=c&state=st4t", "Refused(WrongState)"),
        ("code=c&state=st4te2", "Refused(WrongState)"),
        ("code=c&state=ST4TE", "Refused(WrongState)"),
        ("error=access_denied&state=other", "Refused(WrongState)"),
        ("state=st4te", "Refused(Malformed)"),
        ("state=st4te&code=", "Refused(Malformed)"),
        ("code=c&error=access_denied&state=st4te", "Refused(Malformed)"),
        ("code=c&code=d&state=st4te", "Refused(Malformed)"),
        ("code=c&state=st4te&state=st4te", "Refused(Malformed)"),
        ("code=c&state=st4te&iss=a&iss=b", "Refused(Malformed)"),
    ] {
        assert_eq!(of_query(query, &expected), outcome, "{query}");
    }
}

#[test]
fn the_issuer_is_held_against_the_one_that_was_asked() {
    let right = "iss=https%3A%2F%2Fauth.example.com";
    for (issuer, names_issuer, iss, outcome) in [
        (Some(ISSUER), true, right, "code c"),
        (Some(ISSUER), false, right, "code c"),
        (Some(ISSUER), false, "", "code c"),
        (None, false, "iss=https%3A%2F%2Fwhoever.example.com", "code c"),
        (Some(ISSUER), true, "", "Accepted(OtherIssuer)"),
        (Some(ISSUER), true, "iss=", "Accepted(OtherIssuer)"),
        (Some(ISSUER), true, "iss=https%3A%2F%2Fauth.example.com%2F", "Accepted(OtherIssuer)"),
        (Some(ISSUER), false, "iss=https%3A%2F%2Fevil.example.com", "Accepted(OtherIssuer)"),
    ] {
        let query = format!("code=c&state=st4te&{iss}");
        assert_eq!(of_query(&query, &expected(issuer, names_issuer)), outcome, "{issuer:?} {names_issuer} {iss}");
        let error = of_query(&format!("error=e&state=st4te&{iss}"), &expected(issuer, names_issuer));
        assert_eq!(error, outcome.replace("code c", "error e"));
    }
    // A request without the right state cannot end the login.
    assert_eq!(of_query("code=c&state=x&iss=evil", &expected(Some(ISSUER), true)), "Refused(WrongState)");
}

#[test]
fn host_and_origin_must_be_ours() {
    let expected = expected(None, false);
    let good = "/callback?code=c&state=st4te";
    let own = ("host", "127.0.0.1:4711");
    type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a str);
    let table: &[Case<'_>] = &[
        (good, &[own], "code c"),
        (good, &[own, ("origin", "http://127.0.0.1:4711")], "code c"),
        (good, &[], "Refused(ForeignHost)"),
        (good, &[("host", "")], "Refused(ForeignHost)"),
        (good, &[("host", "127.0.0.1")], "Refused(ForeignHost)"),
        (good, &[("host", "127.0.0.1:4712")], "Refused(ForeignHost)"),
        (good, &[("host", "localhost:4711")], "Refused(ForeignHost)"),
        (good, &[("host", "[::1]:4711")], "Refused(ForeignHost)"),
        (good, &[("host", "evil.example.com")], "Refused(ForeignHost)"),
        (good, &[("host", "evil.example.com:4711")], "Refused(ForeignHost)"),
        (good, &[("host", "127.0.0.1:4711.evil.example.com")], "Refused(ForeignHost)"),
        (good, &[own, own], "Refused(ForeignHost)"),
        (good, &[own, ("host", "evil.example.com")], "Refused(ForeignHost)"),
        ("http://127.0.0.1:4711/callback?code=c&state=st4te", &[own], "code c"),
        ("http://evil.example.com/callback?code=c&state=st4te", &[own], "Refused(ForeignHost)"),
        (good, &[own, ("origin", "null")], "Refused(ForeignOrigin)"),
        (good, &[own, ("origin", "https://evil.example.com")], "Refused(ForeignOrigin)"),
        (good, &[own, ("origin", "https://127.0.0.1:4711")], "Refused(ForeignOrigin)"),
        (good, &[own, ("origin", "http://127.0.0.1:4712")], "Refused(ForeignOrigin)"),
        (good, &[own, ("origin", "http://127.0.0.1:4711"), ("origin", "null")], "Refused(ForeignOrigin)"),
        ("/favicon.ico", &[own], "NotFound"),
        ("/callback/?code=c&state=st4te", &[own], "NotFound"),
        ("//callback?code=c&state=st4te", &[own], "NotFound"),
        ("/?code=c&state=st4te", &[own], "NotFound"),
    ];
    for (uri, headers, outcome) in table {
        assert_eq!(ruling(&head(uri, headers), &expected), *outcome, "{uri} {headers:?}");
    }
    for method in [Method::POST, Method::HEAD, Method::OPTIONS, Method::PUT] {
        let mut head = head(good, &[own]);
        head.method = method;
        assert_eq!(ruling(&head, &expected), "MethodNotAllowed");
    }
    let mut localhost = Expected { authority: "localhost:4711".into(), ..expected };
    assert_eq!(ruling(&head(good, &[("host", "LocalHost:4711")]), &localhost), "code c");
    localhost.authority = "localhost".into();
    assert_eq!(ruling(&head(good, &[("host", "localhost")]), &localhost), "code c");
}

proptest! {
    /// Only a request with the right state is accepted, whatever else it says.
    #[test]
    fn no_answer_without_the_state_alone_is_accepted(
        pairs in prop::collection::vec(("state|code|error|iss|scope", "st4te|[a-z0-9%+]{0,6}"), 0..6)
    ) {
        let query = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&");
        let states: Vec<_> = pairs.iter().filter(|(name, _)| name == "state").map(|(_, value)| &**value).collect();
        let accepted = answer(&query, &expected(None, false)).is_ok();
        prop_assert!(!accepted || states == [STATE], "{query}");
    }
}
