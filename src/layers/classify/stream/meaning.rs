//! What a frame of a stream means, in every dialect.
//!
//! A frame is judged by the name of its event; else by `type` in its data; else by the members of the shapes that are in
//! use: `choices` (Chat Completions), `candidates` (Gemini, also inside `response`), `done` (Ollama), `error` (all of
//! them). An unknown frame is content, which lets the stream go on to the caller.
//!
//! Content is what the model has made: text, reasoning, the name of a tool. A frame that only opens the place for it
//! (a role, an empty block, `choices: []`) is not: providers send it before they know whether they can answer.

use memchr::memchr;

use super::frame::Frame;
use super::search::{has_error, is_flat};
use crate::providers::json::{Cursor, Shape};
use crate::providers::stream_events::{Named, named, promises_an_end};

/// What a frame means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FrameMeaning {
    pub(super) kind: FrameKind,
    /// Streams of this dialect end in a frame that says so.
    pub(super) promises_an_end: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FrameKind {
    /// No part of the answer: a keep-alive, or an announcement.
    Lifecycle,
    /// What is left of the account's limits; no part of the answer.
    Limits,
    Error,
    Content,
    /// Content that was only searched for an error; it may be the last.
    Unread,
    /// Content, and maybe the last.
    Last,
    /// The end; nothing follows.
    End,
}

/// What a frame means. Once content has come, further content need not be read.
#[inline]
pub(super) fn meaning(frame: &Frame<'_>, has_begun: bool) -> FrameMeaning {
    if !frame.event.is_empty()
        && let Some(known) = named(frame.event)
    {
        return by_name(frame.event, known, frame.data, has_begun);
    }
    let data = frame.data.trim_ascii_start();
    if let Some(rest) = data.strip_prefix(br#"{"type":""#)
        && let Some(end) = rest.iter().take(64).position(|byte| *byte == b'"')
        && let Some(name) = rest.get(..end)
        && let Some(known) = named(name)
    {
        return by_name(name, known, frame.data, has_begun);
    }
    if has_begun && !could_matter(data) {
        return FrameMeaning { kind: FrameKind::Unread, promises_an_end: false };
    }
    by_shape(data)
}

fn by_name(name: &[u8], known: Named, data: &[u8], has_begun: bool) -> FrameMeaning {
    let kind = match known {
        Named::Alive | Named::Lifecycle => FrameKind::Lifecycle,
        Named::Limits => FrameKind::Limits,
        Named::Opening if has_begun => FrameKind::Content,
        Named::Opening if is_blank(&mut Cursor::new(data)) == Some(true) => FrameKind::Lifecycle,
        Named::Opening | Named::Content => FrameKind::Content,
        Named::Error => FrameKind::Error,
        Named::End => FrameKind::End,
    };
    FrameMeaning { kind, promises_an_end: promises_an_end(name) }
}

/// Whether data without an event name could be anything but content. This is the only test for most frames of a running
/// stream.
#[inline]
fn could_matter(data: &[u8]) -> bool {
    // Anything else than an object is short, and may be the end.
    data.first() != Some(&b'{') || has_error(data)
}

/// What was found in the members of an object.
#[derive(Debug, Default)]
struct Found<'a> {
    /// The name of the event, in the data.
    name: Option<&'a [u8]>,
    is_error: bool,
    /// The object has a shape whose streams say when they are complete.
    is_known: bool,
    has_content: bool,
    is_last: bool,
    is_end: bool,
}

fn by_shape(data: &[u8]) -> FrameMeaning {
    let of = |kind| FrameMeaning { kind, promises_an_end: false };
    let mut cursor = Cursor::new(data);
    let mut found = Found::default();
    match cursor.shape() {
        None => return of(FrameKind::Lifecycle),
        Some(Shape::Object) => match choices_alone(data) {
            Some(choices) => found = choices,
            // The members that could be read count, even if the data is cut off.
            None => drop(found.object(&mut cursor, true)),
        },
        Some(Shape::Array) if data.trim_ascii_end() == b"[DONE]" => {
            return FrameMeaning { kind: FrameKind::End, promises_an_end: true };
        }
        // An error may come wrapped in an array.
        Some(Shape::Array) => {
            cursor.elements(|element| found.object(element, true));
        }
        Some(_) => return of(FrameKind::Content),
    }
    if let Some(name) = found.name
        && let Some(known) = named(name)
        && !found.is_error
    {
        return by_name(name, known, data, false);
    }
    let kind = match found {
        Found { is_error: true, .. } => FrameKind::Error,
        Found { is_end: true, .. } => FrameKind::End,
        Found { is_last: true, .. } => FrameKind::Last,
        Found { is_known: true, has_content: false, .. } => FrameKind::Lifecycle,
        _ => FrameKind::Content,
    };
    FrameMeaning { kind, promises_an_end: found.is_known }
}

/// What was found in the array of choices. `None` if something else in the chunk could matter too.
#[inline]
fn choices_alone(data: &[u8]) -> Option<Found<'_>> {
    let (before, choices) = data.split_at_checked(memchr(b'[', data)?)?;
    let members = before.get(1..)?;
    // As a member of an inner object, `choices` would mean something else.
    let is_alone = || is_flat(members) || memchr(b'{', members).is_none() && !has_error(members);
    if before.last_chunk() != Some(br#""choices":"#) || !is_alone() {
        return None;
    }
    let mut found = Found { is_known: true, ..Found::default() };
    let mut cursor = Cursor::new(choices);
    cursor.elements(|choice| found.choice(choice))?;
    (cursor.rest() == b"}" || !has_error(cursor.rest())).then_some(found)
}

impl<'a> Found<'a> {
    /// Reads the members of an object. `may_wrap` says whether its `response` may hold the object that counts.
    fn object(&mut self, cursor: &mut Cursor<'a>, may_wrap: bool) -> Option<()> {
        cursor.members(|key, value| match key {
            b"error" => {
                self.is_error |= !value.is_nothing()?;
                Some(())
            }
            b"object" if value.shape()? == Shape::Text => {
                self.is_error |= value.text()? == b"error";
                Some(())
            }
            b"type" | b"event_type" if value.shape()? == Shape::Text => {
                let name = value.text()?;
                self.name = Some(name);
                // If the name alone gives the meaning, no more has to be read.
                named(name).is_none().then_some(())
            }
            b"choices" if value.shape()? == Shape::Array => {
                self.is_known = true;
                value.elements(|choice| self.choice(choice))
            }
            b"candidates" if value.shape()? == Shape::Array => {
                self.is_known = true;
                value.elements(|candidate| self.choice(candidate))
            }
            b"promptFeedback" => {
                self.is_last |= !value.is_nothing()?;
                Some(())
            }
            // Code Assist wraps its chunks; Ollama puts the text here.
            b"response" if may_wrap && value.shape()? == Shape::Object => self.object(value, false),
            b"response" | b"message" => {
                self.has_content |= !is_blank(value)?;
                Some(())
            }
            b"done" if value.shape()? == Shape::Word => {
                self.is_known = true;
                self.is_end |= value.word()? == b"true";
                Some(())
            }
            _ => value.skip(),
        })
    }

    fn choice(&mut self, cursor: &mut Cursor<'a>) -> Option<()> {
        cursor.members(|key, value| match key {
            b"delta" | b"text" | b"message" | b"content" => {
                self.has_content |= !is_blank(value)?;
                Some(())
            }
            key if key == b"finish_reason" || key == b"finishReason" => {
                self.is_last |= !value.is_nothing()?;
                Some(())
            }
            b"error" => {
                self.is_error |= !value.is_nothing()?;
                Some(())
            }
            _ => value.skip(),
        })
    }
}

/// Whether a value holds nothing that a model made. Roles, types, ids and numbers do not count.
fn is_blank(cursor: &mut Cursor<'_>) -> Option<bool> {
    blank_within(cursor, 4)
}

fn blank_within(cursor: &mut Cursor<'_>, levels: u32) -> Option<bool> {
    match cursor.shape()? {
        Shape::Word => return cursor.word().map(|_| true),
        Shape::Text | Shape::Array => return cursor.is_nothing(),
        Shape::Object if levels == 0 => return cursor.is_nothing(),
        Shape::Object => {}
    }
    let mut blank = true;
    cursor.members(|key, value| match key {
        b"id" | b"type" | b"event_type" | b"role" | b"status" | b"object" | b"model" | b"phase" => value.skip(),
        _ => {
            blank &= value.take_nothing() || blank_within(value, levels - 1)?;
            Some(())
        }
    })?;
    Some(blank)
}
