//! Reads the part of a JSON text that can matter: known members, down to a bounded depth.

use std::borrow::Cow;

use memchr::memchr;

use super::names::known;
use crate::providers::json::{Cursor, Shape};

/// How deep a text is read; deeper parts are skipped. The deepest known member, a metadata value of Google in a
/// wrapper, lies at eight.
const DEPTH: u8 = 10;

/// How many elements of a list are read; further ones are skipped.
const ELEMENTS: usize = 16;

/// How many members of an object may repeat an earlier name; further ones are skipped.
const REPEATED: u8 = 16;

/// How many header fields of a member `headers` are read, and how long their names and values may be.
const FIELDS: usize = 64;
const FIELD_NAME: usize = 96;
const FIELD_VALUE: usize = 512;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Node<'a> {
    /// Null, a boolean, or something that was skipped.
    Nothing,
    Number(f64),
    /// A string; borrowed where it has no escapes.
    Text(Cow<'a, str>),
    List(Vec<Node<'a>>),
    Object(Members<'a>),
    /// The object `headers`: names in small letters, and values.
    Fields(Vec<(String, String)>),
}

/// The known members of an object. Most objects have two or three, and the rules ask for fifty: the bits rule out most.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Members<'a> {
    list: Vec<(&'static str, Node<'a>)>,
    /// A bit for each length of a name.
    lengths: u32,
    /// A bit for the number of each name.
    numbers: u64,
    repeated: u8,
}

impl<'a> Members<'a> {
    #[inline]
    fn get(&self, name: &str) -> Option<&Node<'a>> {
        if self.lengths & bit_of_length(name) == 0 { None } else { self.find(name) }
    }

    fn find(&self, name: &str) -> Option<&Node<'a>> {
        self.list.iter().find(|(known, _)| *known == name).map(|(_, node)| node)
    }

    /// Whether one more member of this name is read.
    fn admit(&mut self, number: u32) -> bool {
        self.repeated += u8::from(self.has(number) && self.repeated <= REPEATED);
        self.repeated <= REPEATED
    }

    /// Stores a member. If a name stands twice the last one counts, as with most readers of JSON.
    fn set(&mut self, number: u32, name: &'static str, node: Node<'a>) {
        let earlier = if self.has(number) { self.list.iter_mut().find(|(known, _)| *known == name) } else { None };
        match earlier {
            Some((_, earlier)) => *earlier = node,
            None => self.list.push((name, node)),
        }
        self.lengths |= bit_of_length(name);
        self.numbers |= 1 << number;
    }

    fn has(&self, number: u32) -> bool {
        self.numbers & (1 << number) != 0
    }
}

fn bit_of_length(name: &str) -> u32 {
    1 << (name.len() & 31)
}

/// Reads the first JSON value of a text, and nothing after it.
pub(super) fn parse(text: &[u8]) -> Option<Node<'_>> {
    node(&mut Cursor::new(text), DEPTH)
}

impl Node<'_> {
    /// A member of an object, of one of the known names.
    #[inline]
    pub(super) fn get(&self, name: &'static str) -> Option<&Self> {
        match self {
            Self::Object(members) => members.get(name),
            _ => None,
        }
    }

    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn is_object(&self) -> bool {
        matches!(self, Self::Object(_))
    }

    pub(super) fn elements(&self) -> &[Self] {
        match self {
            Self::List(elements) => elements,
            _ => &[],
        }
    }
}

fn node<'a>(value: &mut Cursor<'a>, depth: u8) -> Option<Node<'a>> {
    if depth == 0 {
        return value.skip().map(|()| Node::Nothing);
    }
    match value.shape()? {
        Shape::Object => object(value, depth - 1),
        Shape::Array => list(value, depth - 1),
        Shape::Text => value.text().map(string).map(Node::Text),
        Shape::Word => value.word().and_then(word),
    }
}

fn object<'a>(object: &mut Cursor<'a>, depth: u8) -> Option<Node<'a>> {
    let mut members = Members::default();
    object.members(|name, value| {
        let Some((number, name)) = known(name).filter(|(number, _)| members.admit(*number)) else {
            return value.skip();
        };
        let node = if name == "headers" { Node::Fields(fields(value)?) } else { node(value, depth)? };
        members.set(number, name, node);
        Some(())
    })?;
    Some(Node::Object(members))
}

fn list<'a>(list: &mut Cursor<'a>, depth: u8) -> Option<Node<'a>> {
    let mut elements = Vec::new();
    list.elements(|element| {
        if elements.len() < ELEMENTS {
            elements.push(node(element, depth)?);
            return Some(());
        }
        element.skip()
    })?;
    Some(Node::List(elements))
}

/// Reads an object of strings, or of lists of strings, as header fields. Anything else has no fields.
fn fields(object: &mut Cursor<'_>) -> Option<Vec<(String, String)>> {
    let mut fields = Vec::new();
    let mut read = 0;
    if object.shape()? != Shape::Object {
        return object.skip().map(|()| fields);
    }
    object.members(|name, value| {
        if read >= FIELDS || name.len() > FIELD_NAME {
            return value.skip();
        }
        read += 1;
        let value = match node(value, 2)? {
            Node::Text(text) => text.into_owned(),
            Node::Number(number) => number.to_string(),
            Node::List(values) => match values.into_iter().next() {
                Some(Node::Text(text)) => text.into_owned(),
                _ => return Some(()),
            },
            _ => return Some(()),
        };
        if value.len() <= FIELD_VALUE {
            fields.push((string(name).to_ascii_lowercase(), value));
        }
        Some(())
    })?;
    Some(fields)
}

/// The text of a string, without escapes. A string with a fault is taken as it is written.
fn string(written: &[u8]) -> Cow<'_, str> {
    if memchr(b'\\', written).is_some() {
        let quoted = [b"\"", written, b"\""].concat();
        if let Ok(meant) = serde_json::from_slice(&quoted) {
            return Cow::Owned(meant);
        }
    }
    String::from_utf8_lossy(written)
}

/// A number, or one of the three words; anything else is no JSON.
fn word<'a>(word: &[u8]) -> Option<Node<'a>> {
    match word {
        b"null" | b"true" | b"false" => Some(Node::Nothing),
        [b'-' | b'0'..=b'9', ..] => std::str::from_utf8(word).ok()?.parse().ok().map(Node::Number),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_members_are_kept_and_of_two_the_last() {
        let text = br#"{"code":1,"x":{"code":[{}]},"code":"two","error":{"message":"m","y":[1,2]}} junk"#;
        let object = |members: &[(&'static str, Node<'static>)]| {
            let mut object = Members::default();
            for (name, node) in members {
                object.set(known(name.as_bytes()).unwrap().0, name, node.clone());
            }
            Node::Object(object)
        };
        let node = parse(text).unwrap();
        let error = object(&[("message", Node::Text("m".into()))]);
        assert_eq!(Some(&Node::Text("two".into())), node.get("code"));
        assert_eq!((node.get("error"), node.get("type"), node.get("status")), (Some(&error), None, None));
    }

    #[test]
    fn fields_are_read_whatever_they_hold() {
        let of = |value: &str| match parse(format!(r#"{{"headers":{value}}}"#).as_bytes()).unwrap().get("headers") {
            Some(Node::Fields(fields)) => Some(fields.clone()),
            _ => None,
        };
        let fields = |fields: &[(&str, &str)]| {
            Some(
                fields.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect::<Vec<(String, String)>>(),
            )
        };
        assert_eq!(
            of(r#"{"A-B":"c","n":5,"l":["x","y"],"o":{},"z":null}"#),
            fields(&[("a-b", "c"), ("n", "5"), ("l", "x")])
        );
        for other in ["null", "true", "1", "-1", "1.5", "\"x\"", "[1,[2]]", "{}"] {
            assert_eq!(of(other), fields(&[]), "{other}");
        }
    }

    #[test]
    fn deep_and_long_texts_are_bounded() {
        assert_eq!(parse("[".repeat(100_000).as_bytes()), None);
        let deep = format!("{}1{}", "[".repeat(100), "]".repeat(100));
        assert!(parse(deep.as_bytes()).is_some());
        let long = format!("[{}1]", "1,".repeat(50_000));
        assert_eq!(parse(long.as_bytes()).unwrap().elements().len(), ELEMENTS);
    }
}
