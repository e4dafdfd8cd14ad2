//! Property: however a stream is cut into chunks, the result is the same.

use proptest::prelude::*;

use super::super::format::Format;
use super::dialects::{follow, streams};
use super::frames;

#[test]
fn every_stream_means_the_same_cut_at_any_byte() {
    for (name, format, stream, expected) in streams() {
        // Long ones are cut at some places only.
        let step = 1 + stream.len() / 3000 * 997;
        for at in (1..stream.len()).step_by(step) {
            assert_eq!(follow(format, stream.as_bytes(), &[at, usize::MAX]).0, expected, "{name}, cut at {at}");
        }
        for size in [1, 2, 3, 8] {
            assert_eq!(follow(format, stream.as_bytes(), &[size]).0, expected, "{name}, in chunks of {size}");
        }
    }
}

/// Where each frame is a chunk of its own, most take the fast path.
#[test]
fn every_stream_means_the_same_frame_by_frame() {
    for (name, format, stream, expected) in streams() {
        for end in ["\n\n", "\n"] {
            let sizes: Vec<_> = stream.split_inclusive(end).map(str::len).collect();
            assert_eq!(follow(format, stream.as_bytes(), &sizes).0, expected, "{name}, cut after {end:?}");
        }
    }
}

/// Text in which the signs of all formats are frequent.
fn noise() -> impl Strategy<Value = Vec<u8>> {
    let words: [&[u8]; 24] = [
        b"data:",
        b"data: ",
        b"event: ",
        b"error",
        b"\n",
        b"\r",
        b"\r\n",
        b"\n\n",
        b":",
        b"{",
        b"}",
        b"[",
        b"]",
        b"\"",
        b"\\",
        b",",
        b"\"error\":",
        b"[DONE]",
        b"\"choices\":[",
        b"ping",
        b"\xef\xbb\xbf",
        b"\xff",
        b" ",
        b"id: 1",
    ];
    prop::collection::vec(prop::sample::select(words.to_vec()), 0..60).prop_map(|words| words.concat())
}

fn format() -> impl Strategy<Value = Format> {
    prop::sample::select(vec![Format::EventStream, Format::Lines, Format::Array])
}

proptest! {
    #[test]
    fn any_bytes_give_the_same_frames_however_they_are_cut(
        format in format(),
        stream in noise(),
        sizes in prop::collection::vec(1_usize..9, 1..9),
    ) {
        prop_assert_eq!(frames(format, &stream, &sizes), frames(format, &stream, &[usize::MAX]));
    }

    #[test]
    fn any_bytes_come_to_the_same_outcome_however_they_are_cut(
        format in format(),
        stream in noise(),
        sizes in prop::collection::vec(1_usize..9, 1..9),
    ) {
        prop_assert_eq!(follow(format, &stream, &sizes).0, follow(format, &stream, &[usize::MAX]).0);
    }

    #[test]
    fn any_bytes_come_to_the_same_outcome_frame_by_frame(
        format in format(),
        begun in prop::sample::select(vec!["data: x\n\n", "event: response.a\ndata: x\n\n", "{\"done\":false,\"response\":1}\n"]),
        stream in noise(),
        end in prop::sample::select(vec![&b"\n"[..], b"\n\n"]),
    ) {
        let wrapped: Vec<u8> = stream
            .split(|byte| *byte == b'"')
            .flat_map(|words| [b"data: {", words, b"}", end, b"event: response.a\ndata: ", words, end, b"{", words, b"}", end])
            .flatten()
            .copied()
            .collect();
        let all = [begun.as_bytes(), &wrapped].concat();
        let mut sizes = Vec::new();
        let mut from = 0;
        for at in 0..all.len() {
            if all[from..=at].ends_with(end) {
                sizes.push(at + 1 - from);
                from = at + 1;
            }
        }
        sizes.push(usize::MAX);
        prop_assert_eq!(follow(format, &all, &sizes).0, follow(format, &all, &[1]).0);
    }

    #[test]
    fn several_streams_after_each_other_are_cut_alike(
        picks in prop::collection::vec(0_usize..1000, 1..4),
        sizes in prop::collection::vec(1_usize..300, 1..20),
    ) {
        let streams = streams();
        let picked: Vec<_> = picks.iter().map(|pick| &streams[pick % streams.len()]).collect();
        let all: Vec<u8> = picked.iter().flat_map(|(.., stream, _)| stream.bytes()).collect();
        let format = picked[0].1;
        prop_assert_eq!(follow(format, &all, &sizes).0, follow(format, &all, &[usize::MAX]).0);
    }
}
