//! Tests of reading bodies of failures: codes, messages and times, and how much is kept.

use std::borrow::Cow;

use std::time::UNIX_EPOCH;

use proptest::prelude::*;

use super::*;

fn read(body: &str) -> ErrorDocument {
    ErrorDocument::read(body.as_bytes())
}

#[test]
fn every_envelope_gives_its_codes_and_its_message() {
    let table: &[(&str, &[&str], &str)] = &[
        (r#"{"error":{"code":"c","type":"t","message":"M"}}"#, &["c", "t"], "m"),
        (r#"{"type":"error","error":{"type":"t","message":"m"}}"#, &["t", "error"], "m"),
        (r#"{"code":"c d","error":"A sentence."}"#, &["c d"], "a sentence."),
        (r#"{"error":"invalid_grant","error_description":"gone"}"#, &["invalid_grant"], "invalid_grant"),
        (r#"{"detail":{"code":"c","message":"m"}}"#, &["c"], "m"),
        (r#"{"detail":"Text"}"#, &[], "text"),
        (r#"{"detail":[{"type":"missing","msg":"no"}]}"#, &[], ""),
        (r#"{"message":"m"}"#, &[], "m"),
        (r#"{"object":"error","message":"m","code":"1300"}"#, &["1300"], "m"),
        (r#"[{"error":{"code":429,"status":"S"}}]"#, &["429", "S"], ""),
        (r#"{"code":"C.D","message":"m","request_id":"r"}"#, &["C.D"], "m"),
        (
            r#"{"error":{"message":"{\"error\":{\"code\":\"inner\",\"message\":\"deep\"}}","code":400}}"#,
            &["inner", "400"],
            "deep",
        ),
        (r#"{"__type":"com.amazon#ThrottlingException","message":"m"}"#, &["ThrottlingException"], "m"),
        (r#"{"type":"https://iana.org/assignments/http-problem-types#quota-exceeded"}"#, &["quota-exceeded"], ""),
        (
            r#"{"type":"response.failed","response":{"error":{"code":"c","message":"m"}}}"#,
            &["c", "response.failed"],
            "m",
        ),
        (r#"{"response":{"status_details":{"error":{"code":"c"}}}}"#, &["c"], ""),
        (r#"{"choices":[{"error":{"code":502,"message":"m"}}]}"#, &["502"], "m"),
        (r#"{"error":{"error_details":{"notification_id":"n"}}}"#, &["n"], ""),
        (
            r#"{"error":{"details":[{"reason":"R"}],"availability":{"code":"a"},"metadata":{"error_type":"e"}}}"#,
            &["a", "e", "R"],
            "",
        ),
        (r#"{"error":{"details":{"error_code":"e"},"innererror":{"code":"i"}}}"#, &["i", "e"], ""),
        (r#"{"error":{"code":null,"type":false,"message":7}}"#, &[], ""),
        (r#"{"error":{"param":"input","message":"quotes"}}"#, &[], ""),
        ("upstream busy", &[], "upstream busy"),
        ("<html>quota</html>", &[], ""),
        ("\"text\"", &[], "\"text\""),
        ("", &[], ""),
    ];
    for (body, codes, message) in table {
        let document = read(body);
        assert_eq!(
            (document.codes.iter().map(String::from_utf8_lossy).collect::<Vec<_>>(), &*document.message),
            (codes.iter().map(|code| Cow::from(*code)).collect(), *message),
            "{body}"
        );
    }
}

#[test]
fn only_an_error_by_its_own_account_is_one() {
    let errors = [
        r#"{"error":{}}"#,
        r#"{"error":"busy"}"#,
        r#"{"type":"error","code":"x"}"#,
        r#"{"type":"response.failed","response":{"error":null}}"#,
        r#"{"event_type":"error"}"#,
        r#"{"object":"error"}"#,
        r#"{"id":"1","error":{"code":429},"choices":[]}"#,
    ];
    let others = [
        r#"{"error":null}"#,
        r#"{"error":""}"#,
        r#"{"error":false}"#,
        r#"{"type":"response.completed","response":{"error":null}}"#,
        r#"{"type":"content_block_delta","delta":{"text":"error"}}"#,
        r#"{"item":{"error":{"code":"tool"}}}"#,
        r#"{"type":"response.incomplete","response":{"status":"incomplete"}}"#,
        r#"{"message":"rate limit"}"#,
        "[DONE]",
        "[]",
        "{}",
        "",
    ];
    for body in errors {
        assert!(read(body).is_error, "{body}");
    }
    for body in others {
        assert!(!read(body).is_error, "{body}");
    }
}

#[test]
fn times_are_read_as_numbers_and_as_texts() {
    let times = |members: &str| read(&format!(r#"{{"error":{{{members}}}}}"#)).times;
    let seconds = |seconds| Some(Duration::from_secs(seconds));
    assert_eq!(times(r#""resets_in_seconds":60"#).resets_in, seconds(60));
    assert_eq!(times(r#""resets_in_seconds":"60""#).resets_in, seconds(60));
    assert_eq!(times(r#""resets_in_seconds":-1"#).resets_in, None);
    assert_eq!(times(r#""resets_in_seconds":null"#).resets_in, None);
    assert_eq!(times(r#""retry_after_ms":1500"#).retry_after, Some(Duration::from_millis(1500)));
    assert_eq!(times(r#""retry_after_ms":"soon","retry_after":3"#).retry_after, seconds(3));
    assert_eq!(times(r#""availability":{"retry_after":40}"#).availability, seconds(40));
    let date = UNIX_EPOCH + Duration::from_secs(1_795_336_440);
    for written in ["1795336440", "1795336440000", r#""2026-11-22T08:34:00Z""#] {
        assert_eq!(times(&format!(r#""resets_at":{written}"#)).resets_at, Some(date), "{written}");
    }
    let detail = |detail: &str| times(&format!(r#""details":[{{{detail}}}]"#));
    assert_eq!(detail(r#""retryDelay":"34.5s""#).retry_info, Some(Duration::from_millis(34_500)));
    assert_eq!(
        detail(r#""retryDelay":{"seconds":"34","nanos":74824224}"#).retry_info,
        Some(Duration::from_millis(34_075))
    );
    assert_eq!(detail(r#""retryDelay":"-3.4e9s""#).retry_info, None);
    assert_eq!(detail(r#""metadata":{"quotaResetDelay":"18h31m10s"}"#).quota_delay, seconds(66_670));
    assert_eq!(detail(r#""metadata":{"quotaResetTimeStamp":"2026-11-22T08:34:00Z"}"#).quota_date, Some(date));
}

#[test]
fn codes_in_a_header_field_are_base64() {
    let mut document = ErrorDocument::default();
    document.add_encoded(&HeaderValue::from_static("eyJlcnJvciI6eyJjb2RlIjoidG9rZW5fZXhwaXJlZCJ9fQ=="));
    document.add_encoded(&HeaderValue::from_static("%%%"));
    assert!(document.codes.iter().eq([b"token_expired"]));
}

#[test]
fn what_is_kept_is_bounded() {
    let long = format!(r#"{{"error":{{"message":"{}","code":"{}"}}}}"#, "\u{e9}".repeat(40_000), "c".repeat(5_000));
    let document = read(&long);
    assert!(document.message.len() <= MESSAGE && document.codes == Codes::default());
    let many = format!(r#"{{"errors":[{}]}}"#, vec![r#"{"reason":"r"}"#; 5_000].join(","));
    assert!(read(&many).codes.iter().count() <= Codes::MOST);
    let mut wrapped = r#"{"error":{"code":"inmost"}}"#.to_owned();
    for _ in 0..8 {
        wrapped = serde_json::json!({ "error": { "message": wrapped } }).to_string();
    }
    assert_eq!(read(&wrapped).codes, Codes::default());
}

/// How many bytes of a body are kept while it is judged.
fn kept(body: &[u8]) -> usize {
    let document = ErrorDocument::read(body);
    let quotas = document.quotas.iter().map(String::as_bytes);
    let texts: usize = document.codes.iter().chain(quotas).map(<[u8]>::len).sum();
    let fields: usize = document.fields.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    texts + fields + document.message.len()
}

#[test]
fn of_the_longest_bodies_little_is_kept() {
    let long = |before: &str, part: &str, after: &str| format!("{before}{}{after}", part.repeat(BYTES / part.len()));
    for body in [
        long(r#"{"error":{"message":""#, "Try again in 5 apples. ", r#""}}"#),
        long("", "try again in 1", "s"),
        long(r#"{"errors":["#, r#"{"reason":"a_reason_of_some_length"},"#, "1]}"),
        long(r#"{"error":{"details":["#, r#"{"violations":[{"quotaId":"PerDay"}]},"#, "1]}}"),
        long(r#"{"error":{"metadata":{"headers":{"#, r#""x-ratelimit-a":"1","#, r#""b":"1"}}}}"#),
        format!(r#"{{"error":{{"metadata":{{"headers":{{"x-a":"{}"}}}}}}}}"#, "1".repeat(100_000)),
    ] {
        assert!(kept(body.as_bytes()) <= 64 * 1024, "{} of {}", kept(body.as_bytes()), &body[..60]);
    }
}

/// A known member with a value of any kind and length.
fn member() -> impl Strategy<Value = String> {
    let names = ["message", "code", "type", "reason", "status", "error", "headers", "details", "quotaId", "metadata"];
    let text = (prop::sample::select(&["x", "try again in 5s. ", "\\u00e9", "a:b"][..]), 0_usize..100_000)
        .prop_map(|(part, bytes)| format!("\"{}\"", part.repeat(bytes / part.len())));
    let fields = (0_usize..2_000, 0_usize..60).prop_map(|(count, length)| {
        let field = |at: usize| format!("\"x-{at}\":\"{}\"", "1".repeat(length));
        format!("{{{}}}", (0..count).map(field).collect::<Vec<_>>().join(","))
    });
    (prop::sample::select(names.to_vec()), prop_oneof![text, fields])
        .prop_map(|(name, value)| format!("\"{name}\":{value}"))
}

proptest! {
    #[test]
    fn any_bytes_are_read(body in prop::collection::vec(any::<u8>(), 0..300)) {
        let document = ErrorDocument::read(&body);
        prop_assert!(document.message.len() <= MESSAGE * 3);
        prop_assert!(kept(&body) <= 64 * 1024);
    }

    #[test]
    fn of_any_members_little_is_kept(members in prop::collection::vec(member(), 0..3), nested in any::<bool>()) {
        let object = format!("{{{}}}", members.join(","));
        let body = if nested { format!(r#"{{"error":{object}}}"#) } else { object };
        prop_assert!(kept(body.as_bytes()) <= 64 * 1024);
    }

    #[test]
    fn a_body_that_is_cut_short_has_no_codes(cut in 1_usize..60) {
        let whole = r#"{"error":{"code":"insufficient_quota","message":"You exceeded your current quota"}}"#;
        let document = read(&whole[..whole.len() - cut]);
        prop_assert!(document.codes == Codes::default() && document.message.is_empty() && !document.is_error);
    }
}
