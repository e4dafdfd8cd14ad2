//! How streams of each format are cut into frames, and which answers are streams.

use http::HeaderMap;

use super::super::format::Format;
use super::super::frame::FRAME;
use super::super::scan::Scanner;
use super::{all_cuts, frames};

fn events(stream: &str) -> Vec<(String, String)> {
    all_cuts(Format::EventStream, stream.as_bytes())
}

fn is(frames: Vec<(String, String)>, expected: &[(&str, &str)]) {
    let frames: Vec<_> = frames.iter().map(|(event, data)| (event.as_str(), data.as_str())).collect();
    assert_eq!(frames, expected);
}

#[test]
fn an_event_stream_is_read_as_the_standard_says() {
    is(events("data: a\n\n"), &[("", "a")]);
    is(events("data:a\r\rdata:  b\r\n\r\n"), &[("", "a"), ("", " b")]);
    is(events("\u{feff}event: e\ndata: a\n\n"), &[("e", "a")]);
    is(events("\n\u{feff}data: a\n\n"), &[]);
    is(events(": comment\n:\ndata: a\n: more\ndata: b\n\n"), &[("", "a\nb")]);
    is(events("data\ndata\n\ndata:\n\n"), &[("", "\n"), ("", "")]);
    is(events("event: one\nevent: two\ndata: a\nid: 7\nretry: 10\n\n"), &[("two", "a")]);
    is(events("event: lost\n\ndata: a\n\n"), &[("", "a")]);
    is(events("data: a\nevent: late\n\n"), &[("late", "a")]);
    is(events("data: a\nunknown: x\ndatax: y\nDATA: z\n\n"), &[("", "a")]);
    is(events("id\nretry\nevent\ndata: a\n\n"), &[("", "a")]);
    is(events("\n\r\n\r\r\n\n"), &[]);
    is(events("data: ü\u{2028}x\n\n"), &[("", "ü\u{2028}x")]);
}

#[test]
fn the_end_may_be_missing() {
    is(events("data: a"), &[("", "a")]);
    is(events("event: error\ndata: {\"a\":1}\n"), &[("error", "{\"a\":1}")]);
    is(events("data: a\n\nevent: half"), &[("", "a")]);
    is(events(""), &[]);
}

#[test]
fn json_without_a_field_name_is_an_event_of_its_own() {
    let tail = "{\n  \"error\": {\n    \"code\": 503,\n\n    \"message\": \"a } b\"\n  }\n}";
    is(events(&format!("data: a\n\n{tail}\n")), &[("", "a"), ("", &format!("{}\n", tail.replace("\n\n", "\n")))]);
    is(events("{\"error\":1}\ndata: a\n\n"), &[("", "{\"error\":1}\n"), ("", "a")]);
    is(events("[{\"error\":{}}]"), &[("", "[{\"error\":{}}]\n")]);
    is(events("  [1,\r\n2]\r\n\r\ndata: b\r\n\r\n"), &[("", "[1,\n2]\n"), ("", "b")]);
    // What a field interrupts was none.
    is(events("{\"a\":\ndata: b\n\n"), &[("", "b")]);
    is(events("data: a\n{\"b\":1}\n\n"), &[("", "a")]);
    is(events("{ \"cut\": "), &[("", "{ \"cut\": \n")]);
}

#[test]
fn lines_and_elements_are_found() {
    let lines = |text: &str| all_cuts(Format::Lines, text.as_bytes());
    is(lines("{\"a\":1}\n{\"b\":2}\r\n\n  \n{\"c\":3}"), &[("", "{\"a\":1}"), ("", "{\"b\":2}"), ("", "{\"c\":3}")]);
    is(lines("\u{feff}{}\n\n"), &[("", "{}")]);
    is(lines("\u{feff}\n{}\n"), &[("", "{}")]);
    is(lines("\n\n"), &[]);

    let array = |text: &str| all_cuts(Format::Array, text.as_bytes());
    is(array("[{\"a\":[1,{}]}\n,\r\n{\"b\":\"]},\\\"\"}]\n"), &[("", "{\"a\":[1,{}]}"), ("", "{\"b\":\"]},\\\"\"}")]);
    is(array("\u{feff} [1, \"x\", null]"), &[("", "1"), ("", "\"x\""), ("", "null")]);
    is(array("{\"error\":{}}\n"), &[("", "{\"error\":{}}")]);
    is(array("[{\"a\":1},{\"b\""), &[("", "{\"a\":1}"), ("", "{\"b\"")]);
    is(array("[] [1]"), &[]);
    is(array("}[},1}]"), &[("", "1")]);
}

#[test]
fn of_a_long_frame_the_beginning_is_kept() {
    for (format, stream) in [
        (Format::EventStream, format!("data: {}\ndata: b\n\ndata: c\n\n", "a".repeat(FRAME * 3))),
        (Format::Lines, format!("{}\nc\n", "a".repeat(FRAME * 3))),
        (Format::Array, format!("[\"{}\",\"c\"]", "a".repeat(FRAME * 3))),
    ] {
        for size in [1000, FRAME, usize::MAX] {
            let frames = frames(format, stream.as_bytes(), &[size]);
            assert_eq!(frames.len(), 2, "{format:?}");
            assert!(frames[0].1.contains(&"a".repeat(FRAME - 8)) && frames[1].1.contains('c'), "{format:?}");
        }
        let mut scanner = Scanner::new(format);
        let mut begun = &stream.as_bytes()[..10];
        assert_eq!(scanner.next(&mut begun), None);
        let mut rest = &stream.as_bytes()[10..];
        let frame = scanner.next(&mut rest).unwrap();
        assert!(!frame.is_whole && frame.data.len() <= FRAME, "{format:?}");
        assert!(scanner.next(&mut rest).unwrap().is_whole, "{format:?}");
    }
}

#[test]
fn the_header_fields_say_what_is_a_stream() {
    let of = |fields: &[(&'static str, &str)], array| {
        let fields = fields.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        Format::of(&HeaderMap::from_iter(fields), array)
    };
    for (content_type, format) in [
        ("text/event-stream", Some(Format::EventStream)),
        ("Text/Event-Stream; charset=utf-8", Some(Format::EventStream)),
        ("text/event-stream ;x", Some(Format::EventStream)),
        ("application/x-ndjson", Some(Format::Lines)),
        ("application/jsonl", Some(Format::Lines)),
        ("application/json", None),
        ("text/event-streams", None),
        ("text/plain", None),
        ("", None),
    ] {
        assert_eq!(of(&[("content-type", content_type)], false), format, "{content_type}");
    }
    assert_eq!(of(&[], true), None);
    assert_eq!(of(&[("content-type", "application/json; charset=UTF-8")], true), Some(Format::Array));
    let event_stream = ("content-type", "text/event-stream");
    assert_eq!(of(&[event_stream, ("content-encoding", "gzip")], false), None);
    assert_eq!(of(&[event_stream, ("content-encoding", "Identity")], false), Some(Format::EventStream));
    assert_eq!(of(&[event_stream, ("content-encoding", "")], false), None);
}
