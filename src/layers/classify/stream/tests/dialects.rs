//! Whole streams of every dialect, and how they end.

use super::super::format::Format;
use super::super::frame::Frame;
use super::super::track::{Phase, Rules, Track};
use crate::context::ending::Ending;
use crate::providers::failures::ProviderRules;
use crate::verdict::{Answer, Kind, Verdict};

/// What came of a stream: whether it began, and how it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Nothing was delivered.
    Refused(Kind),
    Clean,
    Truncated,
    Failed(Kind),
}

use Outcome::{Clean, Failed, Refused, Truncated};

/// The rules of no family.
pub(super) struct Words;

impl Rules for Words {
    fn error(&self, frame: &Frame<'_>) -> Option<Verdict> {
        let headers = http::HeaderMap::new();
        let head = Answer::new(http::StatusCode::OK, &headers, std::time::UNIX_EPOCH);
        let event = std::str::from_utf8(frame.event).ok().filter(|event| !event.is_empty());
        let verdict = ProviderRules::default().error_object(&head, event, frame.data);
        Some(verdict.unwrap_or(Verdict::new(Kind::ServerError)))
    }
}

/// Follows a stream that comes in chunks of these sizes; also says how many bytes had come when it was let go.
pub(super) fn follow(format: Format, stream: &[u8], sizes: &[usize]) -> (Outcome, Option<usize>) {
    let mut track = Track::new(format);
    let mut begun = None;
    let mut rest = stream;
    let mut sizes = sizes.iter().copied().cycle();
    while !rest.is_empty() {
        let (chunk, after) = rest.split_at(sizes.next().unwrap().clamp(1, rest.len()));
        rest = after;
        track.feed(chunk, &Words);
        if matches!(track.phase(), Phase::Begun | Phase::Over(_)) {
            begun.get_or_insert(stream.len() - rest.len());
        }
    }
    track.finish(&Words);
    let outcome = match track.phase() {
        Phase::Failed(verdict) => Refused(verdict.kind()),
        Phase::Over(Ending::Clean) => Clean,
        Phase::Over(Ending::Truncated) => Truncated,
        Phase::Over(Ending::Failed(verdict)) => Failed(verdict.kind()),
        phase => panic!("no end: {phase:?}"),
    };
    (outcome, begun)
}

/// Events of the Responses API: names, each with the other members of its data.
fn named(events: &[(&str, &str)]) -> String {
    let event = |(name, more): &(&str, &str)| format!("event: {name}\ndata: {{\"type\":\"{name}\"{more}}}\n\n");
    events.iter().map(event).collect()
}

fn data(lines: &[&str]) -> String {
    lines.iter().map(|line| format!("data: {line}\n\n")).collect()
}

const CREATED: (&str, &str) = ("response.created", r#","response":{"id":"r","status":"in_progress"}"#);
const TEXT: (&str, &str) = ("response.output_text.delta", r#","delta":"Hel""#);
const LIMITED: (&str, &str) =
    ("response.failed", r#","response":{"status":"failed","error":{"code":"rate_limit_exceeded","message":"slow"}}"#);
const START: (&str, &str) = ("message_start", r#","message":{"role":"assistant","content":[]}"#);
const BLOCK: (&str, &str) = ("content_block_start", r#","index":0,"content_block":{"type":"text","text":""}"#);
const DELTA: (&str, &str) = ("content_block_delta", r#","index":0,"delta":{"type":"text_delta","text":"Hel"}"#);
const BUSY: (&str, &str) = ("error", r#","error":{"type":"overloaded_error","message":"Overloaded"}"#);
const PING: (&str, &str) = ("ping", "");

const ROLE: &str =
    r#"{"id":"c","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}"#;
const WORD: &str = r#"{"id":"c","choices":[{"index":0,"delta":{"content":"Hel"},"finish_reason":null}]}"#;
const STOP: &str = r#"{"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#;
const USAGE: &str = r#"{"id":"c","choices":[],"usage":{"total_tokens":3}}"#;
const FAULT: &str = r#"{"error":{"message":"The server had an error","type":"server_error","param":null,"code":null}}"#;
const ROUTER: &str = r#"{"id":"g","error":{"code":429,"message":"x"},"choices":[{"index":0,"delta":{"content":""},"finish_reason":"error"}]}"#;
const PARTS: &str = r#"{"candidates":[{"content":{"parts":[{"text":"Hel"}],"role":"model"}}]}"#;
const PARTS_LAST: &str = r#"{"candidates":[{"content":{"parts":[{"text":"lo"}]},"finishReason":"STOP"}]}"#;
const DEMAND: &str = r#"{"error":{"code":503,"message":"high demand","status":"UNAVAILABLE"}}"#;
const DEMAND_LONG: &str = "{\n  \"error\": {\n    \"code\": 503,\n    \"status\": \"UNAVAILABLE\"\n  }\n}";

/// Every dialect, and every way in which its streams end.
pub(super) fn streams() -> Vec<(&'static str, Format, String, Outcome)> {
    let sse = Format::EventStream;
    let mut streams = vec![
        ("responses: clean", sse, named(&[CREATED, TEXT, ("response.completed", "")]), Clean),
        ("responses: incomplete", sse, named(&[CREATED, TEXT, ("response.incomplete", "")]), Clean),
        ("responses: limited", sse, named(&[CREATED, ("response.in_progress", ""), LIMITED]), Refused(Kind::Throttled)),
        ("responses: limited late", sse, named(&[CREATED, TEXT, LIMITED]), Failed(Kind::Throttled)),
        ("responses: cut", sse, named(&[CREATED, TEXT]), Truncated),
        ("responses: cut before content", sse, named(&[CREATED]), Refused(Kind::ServerError)),
        (
            "responses: flat",
            sse,
            named(&[("error", r#","code":"server_error","message":"x""#)]),
            Refused(Kind::ServerError),
        ),
        (
            "codex: limits, then the wall",
            sse,
            data(&[
                r#"{"type":"codex.rate_limits","rate_limits":{"primary":{"used_percent":100}}}"#,
                r#"{"type":"error","error":{"type":"usage_limit_reached","resets_in_seconds":5},"status_code":429}"#,
            ]),
            Refused(Kind::QuotaExhausted),
        ),
        (
            "codex: model",
            sse,
            data(&[
                r#"{"type":"error","status":400,"error":{"type":"invalid_request_error","message":"no such model"}}"#,
            ]),
            Refused(Kind::Rejected),
        ),
        ("messages: clean", sse, named(&[START, PING, BLOCK, DELTA, ("message_stop", "")]), Clean),
        ("messages: busy", sse, named(&[BUSY]), Refused(Kind::Overloaded)),
        ("messages: busy soon", sse, named(&[START, PING, BLOCK, PING, BUSY]), Refused(Kind::Overloaded)),
        ("messages: busy late", sse, named(&[START, BLOCK, DELTA, BUSY]), Failed(Kind::Overloaded)),
        ("messages: cut", sse, named(&[START, BLOCK, DELTA]), Truncated),
        ("messages: cut before content", sse, named(&[START, PING]), Refused(Kind::ServerError)),
        ("messages: pings alone", sse, named(&[PING, PING, PING]), Clean),
        ("messages: empty", sse, named(&[START, ("message_delta", ""), ("message_stop", "")]), Clean),
        ("chat: clean", sse, data(&[ROLE, WORD, STOP, USAGE, "[DONE]"]), Clean),
        ("chat: without its end mark", sse, data(&[ROLE, WORD, STOP]), Clean),
        ("chat: fault", sse, data(&[FAULT]), Refused(Kind::ServerError)),
        ("chat: fault after the role", sse, data(&[ROLE, FAULT]), Refused(Kind::ServerError)),
        ("chat: fault late", sse, data(&[ROLE, WORD, FAULT, "[DONE]"]), Failed(Kind::ServerError)),
        ("chat: cut", sse, data(&[ROLE, WORD, WORD]), Truncated),
        (
            "router: limited",
            sse,
            format!(": PROCESSING\n\n: PROCESSING\n\n{}", data(&[ROUTER])),
            Refused(Kind::Throttled),
        ),
        ("router: limited late", sse, data(&[WORD, ROUTER]), Failed(Kind::Throttled)),
        ("gemini: clean", sse, data(&[PARTS, PARTS_LAST]), Clean),
        ("gemini: cut", sse, data(&[PARTS, PARTS]), Truncated),
        ("gemini: demand", sse, data(&[DEMAND]), Refused(Kind::Overloaded)),
        ("gemini: demand late", sse, data(&[PARTS, DEMAND]), Failed(Kind::Overloaded)),
        ("gemini: without a field", sse, format!("{DEMAND}\n\n"), Refused(Kind::Overloaded)),
        ("gemini: a tail", sse, format!("{}{DEMAND_LONG}\n", data(&[PARTS])), Failed(Kind::Overloaded)),
        ("gemini: a tail alone", sse, DEMAND_LONG.into(), Refused(Kind::Overloaded)),
        ("gemini array: clean", Format::Array, format!("[{PARTS}\n,\r\n{PARTS_LAST}\n]\n"), Clean),
        ("gemini array: cut", Format::Array, format!("[{PARTS}\n,\r\n{PARTS}"), Truncated),
        ("gemini array: demand", Format::Array, format!("[{DEMAND_LONG}\n]"), Refused(Kind::Overloaded)),
        ("gemini array: no array", Format::Array, DEMAND_LONG.into(), Refused(Kind::Overloaded)),
        ("gemini array: demand late", Format::Array, format!("[{PARTS},{DEMAND}]"), Failed(Kind::Overloaded)),
        ("gemini array: empty", Format::Array, "[]".into(), Clean),
        (
            "dashscope: throttled",
            sse,
            "id:1\nevent:error\n:HTTP_STATUS/429\ndata:{\"code\":\"rate_limit_exceeded\"}\n\n".into(),
            Refused(Kind::Throttled),
        ),
        (
            "dashscope: clean",
            sse,
            "id:1\nevent:result\n:HTTP_STATUS/200\ndata:{\"output\":{\"text\":\"Hel\"}}\n\n".into(),
            Clean,
        ),
        (
            "ollama: clean",
            Format::Lines,
            "{\"message\":{\"content\":\"Hel\"},\"done\":false}\n{\"done\":true}\n".into(),
            Clean,
        ),
        ("ollama: cut", Format::Lines, "{\"message\":{\"content\":\"Hel\"},\"done\":false}\n{\"mess".into(), Truncated),
        (
            "ollama: limited",
            Format::Lines,
            "{\"error\":\"you have reached your limit\"}\n".into(),
            Refused(Kind::ServerError),
        ),
        (
            "an error in two lines",
            sse,
            "event: error\ndata: {\"type\":\"error\",\ndata: \"error\":{\"type\":\"overloaded_error\"}}\n\n".into(),
            Refused(Kind::Overloaded),
        ),
        (
            "an error without an end",
            sse,
            "event: error\ndata: {\"error\":{\"type\":\"overloaded_error\"}}".into(),
            Refused(Kind::Overloaded),
        ),
        (
            "an error with CR alone",
            sse,
            "event: error\rdata: {\"error\":{\"type\":\"overloaded_error\"}}\r\r".into(),
            Refused(Kind::Overloaded),
        ),
        ("nothing", sse, String::new(), Clean),
        ("comments alone", sse, ": one\n\n: two\n\n".into(), Clean),
        ("something else", sse, "data: 1\n\ndata: 2\n\n".into(), Clean),
        (
            "half an event of content",
            sse,
            format!("{}data: {{\"type\":\"content_bl", named(&[START])),
            Refused(Kind::ServerError),
        ),
        (
            "too much to keep",
            sse,
            named(&[CREATED, ("response.in_progress", &format!(",\"x\":\"{}\"", "y".repeat(90_000))), LIMITED]),
            Refused(Kind::Throttled),
        ),
        ("too many signs of life", sse, named(&[[PING; 64].as_slice(), &[BUSY]].concat()), Failed(Kind::Overloaded)),
        (
            "almost too many signs of life",
            sse,
            named(&[[PING; 63].as_slice(), &[BUSY]].concat()),
            Refused(Kind::Overloaded),
        ),
    ];
    let with_crlf = streams.iter().map(|(name, format, stream, outcome)| {
        (*name, *format, stream.replace("\r\n", "\n").replace('\n', "\r\n"), *outcome)
    });
    let with_crlf: Vec<_> = with_crlf.collect();
    streams.extend(with_crlf);
    streams
}

#[test]
fn each_stream_comes_out_as_its_dialect_says() {
    for (name, format, stream, expected) in streams() {
        let (outcome, _) = follow(format, stream.as_bytes(), &[usize::MAX]);
        assert_eq!(outcome, expected, "{name}");
    }
}

#[test]
fn a_stream_is_let_go_with_its_first_content_and_not_later() {
    for (before, content) in [
        (named(&[CREATED, ("response.in_progress", "")]), named(&[TEXT])),
        (named(&[START, PING, BLOCK, PING]), named(&[DELTA])),
        (format!(": wait\n\n{}", data(&[ROLE])), data(&[WORD])),
        (String::new(), data(&[PARTS])),
        (String::new(), data(&["[DONE]"])),
    ] {
        let stream = format!("{before}{content}{content}");
        let (_, begun) = follow(Format::EventStream, stream.as_bytes(), &[1]);
        assert_eq!(begun, Some(before.len() + content.len()), "{stream}");
    }
}
