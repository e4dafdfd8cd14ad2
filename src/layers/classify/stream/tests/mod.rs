//! Tests of scanning, meaning and following streams, on made-up data in the shapes that the providers use.

mod dialects;
mod meaning;
mod property;
mod scan;

use super::format::Format;
use super::scan::Scanner;

/// Every frame of a stream that comes in chunks of these sizes: its event and its data.
fn frames(format: Format, stream: &[u8], sizes: &[usize]) -> Vec<(String, String)> {
    let mut scanner = Scanner::new(format);
    let mut frames = Vec::new();
    let mut rest = stream;
    let mut sizes = sizes.iter().copied().cycle();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    while !rest.is_empty() {
        let (mut chunk, after) = rest.split_at(sizes.next().unwrap().clamp(1, rest.len()));
        rest = after;
        while let Some(frame) = scanner.next(&mut chunk) {
            frames.push((text(frame.event), text(frame.data)));
            assert!(frames.len() <= stream.len(), "each frame takes something");
        }
        assert!(chunk.is_empty());
    }
    frames.extend(scanner.finish().map(|frame| (text(frame.event), text(frame.data))));
    assert_eq!(scanner.finish(), None, "an end stays an end");
    frames
}

/// The frames of a stream, which are the same however it is cut.
fn all_cuts(format: Format, stream: &[u8]) -> Vec<(String, String)> {
    let whole = frames(format, stream, &[usize::MAX]);
    for size in [1, 2, 3, 5, 7, 16] {
        assert_eq!(frames(format, stream, &[size]), whole, "in chunks of {size}");
    }
    for at in 1..stream.len() {
        assert_eq!(frames(format, stream, &[at, usize::MAX]), whole, "cut at {at}");
    }
    whole
}
