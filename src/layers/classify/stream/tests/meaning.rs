//! What single frames mean, before and after content has begun.

use super::super::frame::Frame;
use super::super::meaning::{FrameKind, meaning};
use super::super::search::could_be_last;

fn of(event: &str, data: &str, has_begun: bool) -> FrameKind {
    let frame = Frame { event: event.as_bytes(), data: data.as_bytes(), is_whole: true };
    match meaning(&frame, has_begun).kind {
        FrameKind::Unread if could_be_last(data.as_bytes()) => FrameKind::Last,
        FrameKind::Unread => FrameKind::Content,
        kind => kind,
    }
}

/// Before content, and once it has begun.
fn both(event: &str, data: &str) -> (FrameKind, FrameKind) {
    (of(event, data, false), of(event, data, true))
}

#[test]
fn events_of_responses_and_messages_are_told_by_name_or_type() {
    use FrameKind::{Content, End, Error, Lifecycle, Limits};
    let table = [
        (r#"{"type":"response.created","response":{"status":"in_progress","error":null}}"#, Lifecycle),
        (r#"{"type":"response.queued"}"#, Lifecycle),
        (r#"{"type":"response.in_progress"}"#, Lifecycle),
        (
            r#"{"type":"response.output_item.added","item":{"id":"m","type":"message","status":"in_progress","content":[],"role":"assistant"}}"#,
            Lifecycle,
        ),
        (
            r#"{"type":"response.output_item.added","item":{"type":"reasoning","summary":[],"encrypted_content":null}}"#,
            Lifecycle,
        ),
        (
            r#"{"type":"response.output_item.added","item":{"type":"function_call","name":"look","arguments":""}}"#,
            Content,
        ),
        (
            r#"{"type":"response.content_part.added","part":{"type":"output_text","annotations":[],"text":""}}"#,
            Lifecycle,
        ),
        (r#"{"type":"response.output_text.delta","delta":"Hel"}"#, Content),
        (r#"{"type":"response.failed","response":{"status":"failed","error":{"code":"rate_limit_exceeded"}}}"#, Error),
        (r#"{"type":"response.completed"}"#, End),
        (r#"{"type":"response.incomplete","response":{"incomplete_details":{"reason":"max_output_tokens"}}}"#, End),
        (r#"{"type":"error","code":"server_error","message":"x","param":null}"#, Error),
        (r#"{"type":"codex.rate_limits","rate_limits":{"primary":{"used_percent":99}}}"#, Limits),
        (r#"{"type":"keepalive","sequence_number":3}"#, Lifecycle),
        (r#"{"type":"message_start","message":{"content":[]}}"#, Lifecycle),
        (r#"{"type":"ping"}"#, Lifecycle),
        (r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#, Lifecycle),
        (
            r#"{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}"#,
            Lifecycle,
        ),
        (r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":"Hel"}}"#, Content),
        (
            r#"{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"t","name":"look","input":{}}}"#,
            Content,
        ),
        (
            r#"{"type":"content_block_start","index":0,"content_block":{"type":"redacted_thinking","data":"x"}}"#,
            Content,
        ),
        (r#"{"type":"content_block_delta","delta":{"type":"text_delta","text":"Hel"}}"#, Content),
        (r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"}}"#, Content),
        (r#"{"type":"message_stop"}"#, End),
        (r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#, Error),
        (r#"{"type":"message-start","delta":{"message":{"role":"assistant","content":[]}}}"#, Lifecycle),
        (r#"{"event_type":"interaction.start","interaction":{}}"#, Lifecycle),
        (r#"{"event_type":"error","error":{"code":"not_found"}}"#, Error),
    ];
    for (data, expected) in table {
        assert_eq!(of("", data, false), expected, "{data}");
        // The name of the event says the same, and so does the type at another place.
        let name = data.split('"').nth(3).unwrap();
        assert_eq!(of(name, data, false), expected, "{name}: {data}");
        let moved = data.replacen('{', "{ \"sequence_number\" : 1,\n", 1);
        assert_eq!(of("", &moved, false), expected, "{moved}");
        let opening = expected == Lifecycle && (name.contains("added") || name.ends_with("_start"));
        if !(opening && name != "message_start") && name != "interaction.start" {
            assert_eq!(of("", data, true), expected, "later: {data}");
        }
    }
}

#[test]
fn chunks_without_a_name_are_told_by_their_shape() {
    use FrameKind::{Content, End, Error, Last, Lifecycle};
    let head = r#""id":"c","object":"chat.completion.chunk","created":1,"model":"m","system_fingerprint":null"#;
    let table = [
        (
            format!(
                r#"{{{head},"choices":[{{"index":0,"delta":{{"role":"assistant","content":"","refusal":null}},"logprobs":null,"finish_reason":null}}]}}"#
            ),
            Lifecycle,
        ),
        (format!(r#"{{{head},"choices":[],"prompt_filter_results":[{{"prompt_index":0}}]}}"#), Lifecycle),
        (format!(r#"{{{head},"choices":[{{"index":0,"delta":{{"content":"Hel"}},"finish_reason":null}}]}}"#), Content),
        (format!(r#"{{{head},"choices":[{{"index":0,"delta":{{"reasoning":"Hm"}},"finish_reason":null}}]}}"#), Content),
        (
            format!(
                r#"{{{head},"choices":[{{"delta":{{"tool_calls":[{{"index":0,"function":{{"name":"f","arguments":""}}}}]}}}}]}}"#
            ),
            Content,
        ),
        (format!(r#"{{{head},"choices":[{{"index":0,"delta":{{}},"finish_reason":"stop"}}]}}"#), Last),
        (format!(r#"{{{head},"error":null,"choices":[{{"text":"Hel"}}]}}"#), Content),
        (
            format!(
                r#"{{{head},"error":{{"code":429,"message":"x"}},"choices":[{{"delta":{{"content":""}},"finish_reason":"error"}}]}}"#
            ),
            Error,
        ),
        (format!(r#"{{{head},"choices":[{{"delta":{{"content":""}},"error":{{"code":502}}}}]}}"#), Error),
        (format!(r#"{{{head},"choices":[{{"delta":{{"content":""}}}}],"error":{{"code":502}}}}"#), Error),
        (format!(r#"{{{head},"choices":[],"object":"error"}}"#), Error),
        (format!(r#"{{{head},"of":{{"choices":[{{"text":"Hel"}}]}},"choices":[]}}"#), Lifecycle),
        (r#"{"error":{"message":"x","type":"server_error","code":null}}"#.into(), Error),
        (r#"{"code":"resource-exhausted","error":"text"}"#.into(), Error),
        (r#"{"object":"error","message":"Rate limit exceeded","type":"rate_limited","code":"1300"}"#.into(), Error),
        (r#"[{"error":{"code":429}}]"#.into(), Error),
        ("{\n  \"error\": {\n    \"code\": 503\n  }\n}\n".into(), Error),
        (r#"{"candidates":[{"content":{"parts":[{"text":"Hel"}],"role":"model"}}]}"#.into(), Content),
        (r#"{"candidates":[{"content":{"role":"model"},"index":0}],"usageMetadata":{}}"#.into(), Lifecycle),
        (r#"{"candidates":[{"content":{"parts":[{"text":"o"}]},"finishReason":"STOP"}]}"#.into(), Last),
        (r#"{"response":{"candidates":[{"content":{"parts":[{"text":"o"}]}}]},"traceId":"t"}"#.into(), Content),
        (r#"{"response":{"candidates":[{"finishReason":"STOP"}]}}"#.into(), Last),
        (r#"{"model":"m","message":{"role":"assistant","content":"Hel"},"done":false}"#.into(), Content),
        (r#"{"model":"m","response":"","done":false}"#.into(), Lifecycle),
        (r#"{"model":"m","message":{"role":"assistant","content":""},"done":true,"done_reason":"stop"}"#.into(), End),
        ("[DONE]".into(), End),
        (" [DONE] ".into(), End),
    ];
    for (data, expected) in table {
        // After content has begun, the end is searched for in the last frames alone.
        let later = match expected {
            Lifecycle => Content,
            End if data.starts_with('{') => Last,
            expected => expected,
        };
        assert_eq!(both("", &data), (expected, later), "{data}");
        assert_eq!(both("message", &data), (expected, later), "{data}");
    }
}

#[test]
fn what_is_not_known_lets_the_stream_go() {
    for data in
        ["hello", "1", r#"{"x":1}"#, "{", r#"{"a":"#, r#"{"error""#, "[1]", "[[[[", "\u{0}", r#"{"type":7}"#, "]"]
    {
        assert_eq!(both("", data), (FrameKind::Content, FrameKind::Content), "{data}");
    }
    assert_eq!(of("result", r#"{"output":{"text":"Hel"}}"#, false), FrameKind::Content);
    assert_eq!(of("error", "", false), FrameKind::Error);
    // The prompt was refused, and nothing else will come.
    assert_eq!(of("", r#"{"promptFeedback":{"blockReason":"SAFETY"}}"#, false), FrameKind::Last);
    // Nothing at all is a sign of life.
    assert_eq!(both("", ""), (FrameKind::Lifecycle, FrameKind::Lifecycle));
    assert_eq!(both("", "  "), (FrameKind::Lifecycle, FrameKind::Lifecycle));
}

#[test]
fn words_in_the_text_of_an_answer_are_content() {
    for text in [r#"\"error\": {}"#, r#"\"finish_reason\":\"stop\""#, r#"[DONE]"#, r#"\\\"done\\\":true"#] {
        let data = format!(r#"{{"choices":[{{"delta":{{"content":"{text}"}},"finish_reason":null}}]}}"#);
        assert_eq!(both("", &data), (FrameKind::Content, FrameKind::Content), "{data}");
    }
    // A tool's own words stand deeper than ours.
    let data =
        r#"{"choices":[{"delta":{"content":"x","more":{"error":{"code":1},"done":true}},"finish_reason":null}]}"#;
    assert_eq!(both("", data), (FrameKind::Content, FrameKind::Content));
}

#[test]
fn what_is_cut_short_is_told_by_what_is_there() {
    assert_eq!(of("", r#"{"error":{"code":503},"details":"#, false), FrameKind::Error);
    assert_eq!(
        of("response.created", r#"{"type":"response.created","response":{"instructions":"very lo"#, false),
        FrameKind::Lifecycle
    );
    assert_eq!(
        of("", r#"{"type":"response.created","response":{"instructions":"very lo"#, false),
        FrameKind::Lifecycle
    );
}

#[test]
fn deep_nesting_is_bounded() {
    for open in [r#"{"choices":[{"delta":"#, r#"{"response":"#, r#"{"error":"#, "[", r#"{"message":"#] {
        let data = format!("{open}{}", r#"{"a":"#.repeat(100_000));
        let _ = both("", &data);
        let data = format!("{}{}", open.repeat(50_000), "1");
        let _ = both("", &data);
        let _ = both("content_block_start", &data);
    }
}
