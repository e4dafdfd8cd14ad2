//! Follows a stream from its first byte to its end: the pure part of holding it.

use super::fast_path::{FastPath, fast_path};
use super::format::Format;
use super::frame::Frame;
use super::meaning::{FrameKind, meaning};
use super::scan::Scanner;
use super::search::could_be_last;
use crate::context::ending::Ending;
use crate::providers::stream_events::{Named, named};
use crate::verdict::{Kind, Verdict};

/// The most events that a stream is held for.
const EVENTS: u32 = 64;

/// How much of a frame's end is kept, to tell at the end of the stream whether it was the last one.
const TAIL: usize = 16 * 1024;

/// The phase of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// No content has come.
    Silent,
    /// An error came before any content.
    Failed(Verdict),
    /// Content has begun, or a bound was reached.
    Begun,
    /// It has ended, or nothing that follows matters.
    Over(Ending),
}

/// Judges the errors in a stream.
pub(super) trait Rules {
    /// The verdict on an error frame. `None` if it is no error after all.
    fn error(&self, frame: &Frame<'_>) -> Option<Verdict>;

    /// Takes an event about the account's limits.
    fn limits(&self, event: &[u8]) {
        let _ = event;
    }
}

/// The state of one stream that is followed.
#[derive(Debug)]
pub(super) struct Track {
    scanner: Scanner,
    phase: Phase,
    events: u32,
    /// Streams of this dialect say when they are complete, so that a missing end shows.
    promises_an_end: bool,
    /// Content has come that may be the last.
    had_last: bool,
    /// The two latest frames that were only searched for errors: the last content, and what some providers send after
    /// it.
    recent: [Vec<u8>; 2],
    /// Which frame in `recent` is the later one.
    turn: bool,
    /// The name of the latest content event: most events that follow have the same one.
    usual: Vec<u8>,
    /// The scanner stands between two frames, and content has begun.
    between: bool,
}

impl Track {
    pub(super) fn new(format: Format) -> Self {
        let scanner = Scanner::new(format);
        Self {
            scanner,
            phase: Phase::Silent,
            events: 0,
            promises_an_end: false,
            had_last: false,
            recent: Default::default(),
            turn: false,
            between: false,
            usual: Vec::new(),
        }
    }

    #[inline]
    pub(super) fn phase(&self) -> Phase {
        self.phase
    }

    /// How the stream ended, if it has.
    #[inline]
    pub(super) fn ending(&self) -> Option<&Ending> {
        if let Phase::Over(ending) = &self.phase { Some(ending) } else { None }
    }

    /// Lets the stream go, because a bound was reached.
    pub(super) fn begin(&mut self) {
        if self.phase == Phase::Silent {
            self.phase = Phase::Begun;
        }
    }

    /// Feeds the next chunk. Chunk boundaries do not affect the result.
    #[inline]
    pub(super) fn feed(&mut self, bytes: &[u8], rules: &impl Rules) {
        if self.between {
            match fast_path(&self.scanner, bytes, &self.usual) {
                FastPath::Usual => return,
                FastPath::Unread(data) => return self.remember(data),
                FastPath::Else => {}
            }
        }
        self.read(bytes, rules);
        self.between = self.phase == Phase::Begun && self.scanner.is_between();
    }

    #[inline(never)]
    fn read(&mut self, mut bytes: &[u8], rules: &impl Rules) {
        while matches!(self.phase, Phase::Silent | Phase::Begun) {
            let Some(frame) = self.scanner.next(&mut bytes) else { return };
            if !self.usual.is_empty() && frame.event == self.usual {
                continue;
            }
            let meaning = meaning(&frame, matches!(self.phase, Phase::Begun));
            self.promises_an_end |= meaning.promises_an_end;
            match meaning.kind {
                FrameKind::Lifecycle => self.count(),
                FrameKind::Limits => {
                    if frame.is_whole {
                        rules.limits(frame.data);
                    }
                    self.count();
                }
                FrameKind::Content => {
                    if named(frame.event) == Some(Named::Content) {
                        self.usual.clear();
                        self.usual.extend_from_slice(frame.event);
                    }
                    self.phase = Phase::Begun;
                }
                FrameKind::Unread => {
                    let latest = next_of(&mut self.recent, &mut self.turn);
                    keep_tail(latest, frame.data);
                }
                FrameKind::Last => {
                    self.had_last = true;
                    self.phase = Phase::Begun;
                }
                FrameKind::End => self.phase = Phase::Over(Ending::Clean),
                FrameKind::Error => self.phase = failed(self.phase, &frame, rules),
            }
        }
    }

    #[inline]
    fn remember(&mut self, data: &[u8]) {
        keep_tail(next_of(&mut self.recent, &mut self.turn), data);
    }

    /// Ends the bytes. An event that is cut off counts only if it says how the stream ends.
    pub(super) fn finish(&mut self, rules: &impl Rules) {
        if !matches!(self.phase, Phase::Silent | Phase::Begun) {
            return;
        }
        if let Some(frame) = self.scanner.finish() {
            let meaning = meaning(&frame, self.phase == Phase::Begun);
            self.promises_an_end |= meaning.promises_an_end;
            match meaning.kind {
                FrameKind::End | FrameKind::Last => self.had_last = true,
                FrameKind::Error => self.phase = failed(self.phase, &frame, rules),
                // A frame that was cut off does not count.
                FrameKind::Lifecycle | FrameKind::Limits | FrameKind::Content | FrameKind::Unread => {}
            }
        }
        self.had_last |= self.recent.iter().any(|data| could_be_last(data));
        let had_end = self.had_last || self.scanner.is_closed() || !self.promises_an_end;
        self.phase = match self.phase {
            Phase::Silent | Phase::Begun if had_end => Phase::Over(Ending::Clean),
            Phase::Silent => Phase::Failed(Verdict::new(Kind::ServerError)),
            Phase::Begun => Phase::Over(Ending::Truncated),
            Phase::Failed(_) | Phase::Over(_) => self.phase,
        };
    }

    /// Notes that the body failed.
    pub(super) fn break_off(&mut self) {
        self.phase = match self.phase {
            Phase::Silent => Phase::Failed(Verdict::new(Kind::Network)),
            Phase::Begun => Phase::Over(Ending::Truncated),
            Phase::Failed(_) | Phase::Over(_) => self.phase,
        };
    }

    fn count(&mut self) {
        self.events = self.events.saturating_add(1);
        if self.events >= EVENTS {
            self.begin();
        }
    }
}

/// The place of the older of the two recent frames, which the next one overwrites.
#[inline]
fn next_of<'r>(recent: &'r mut [Vec<u8>; 2], turn: &mut bool) -> &'r mut Vec<u8> {
    let [one, other] = recent;
    *turn = !*turn;
    if *turn { one } else { other }
}

#[inline]
fn keep_tail(kept: &mut Vec<u8>, data: &[u8]) {
    kept.clear();
    kept.extend_from_slice(data.last_chunk::<TAIL>().map_or(data, |tail| tail));
}

fn failed(phase: Phase, frame: &Frame<'_>, rules: &impl Rules) -> Phase {
    match (rules.error(frame), phase) {
        (None, _) => Phase::Begun,
        (Some(verdict), Phase::Silent) => Phase::Failed(verdict),
        (Some(verdict), _) => Phase::Over(Ending::Failed(verdict)),
    }
}
