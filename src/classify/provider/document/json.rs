//! The part of a JSON text that can matter: known members, down to a bounded depth.

use std::borrow::Cow;
use std::fmt;
use std::ops::RangeInclusive;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// Members that are kept, in the order of their bytes. All others are skipped without being stored.
const KNOWN: [&str; 56] = [
    "@type",
    "__type",
    "availability",
    "choices",
    "code",
    "detail",
    "details",
    "error",
    "error_code",
    "error_description",
    "error_details",
    "error_subtype",
    "error_type",
    "errors",
    "event_type",
    "exceptionName",
    "headers",
    "http_status",
    "innererror",
    "interval",
    "limit_source",
    "message",
    "metadata",
    "msg",
    "nanos",
    "notification_id",
    "object",
    "param",
    "patterns",
    "provider_name",
    "quotaId",
    "quotaResetDelay",
    "quotaResetTimeStamp",
    "quotaValue",
    "quota_limit",
    "quota_limit_value",
    "raw",
    "reason",
    "reasons",
    "resetsAt",
    "resets_at",
    "resets_in_seconds",
    "response",
    "retryDelay",
    "retry_after",
    "retry_after_ms",
    "retry_after_seconds",
    "seconds",
    "status",
    "statusCode",
    "status_code",
    "status_details",
    "type",
    "validation_link",
    "validation_url",
    "violations",
];

/// How long they are.
const LENGTHS: RangeInclusive<usize> = 3..=19;

/// Deeper parts are skipped. The deepest known member, a metadata value of Google in a wrapper, lies at eight.
const DEPTH: u8 = 10;

/// Further elements of a list are skipped.
const ELEMENTS: usize = 16;

/// Header fields that are kept of a member `headers`, and their longest names and values.
const FIELDS: usize = 64;
const FIELD_NAME: usize = 96;
const FIELD_VALUE: usize = 512;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Node<'a> {
    /// Null, a boolean, or something that was skipped.
    Nothing,
    Number(f64),
    /// Borrowed where it has no escapes.
    Text(Cow<'a, str>),
    List(Vec<Node<'a>>),
    Object(Vec<(&'static str, Node<'a>)>),
    /// The member `headers`: names in small letters.
    Fields(Vec<(String, String)>),
}

/// Reads the first JSON value of a text; what follows it is not looked at.
pub(super) fn parse(text: &[u8]) -> Option<Node<'_>> {
    // serde_json refuses what is nested deeper than 128.
    let seed = Seed { depth: DEPTH };
    match std::str::from_utf8(text) {
        // Each string alone need not be checked.
        Ok(text) => seed.deserialize(&mut serde_json::Deserializer::from_str(text)).ok(),
        Err(_) => seed.deserialize(&mut serde_json::Deserializer::from_slice(text)).ok(),
    }
}

impl Node<'_> {
    /// A member of an object.
    pub(super) fn get(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Object(members) => members.iter().find(|(known, _)| *known == name).map(|(_, node)| node),
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

struct Seed {
    depth: u8,
}

impl<'de> DeserializeSeed<'de> for Seed {
    type Value = Node<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node<'de>, D::Error> {
        if self.depth == 0 {
            return serde::Deserialize::deserialize(deserializer).map(|IgnoredAny| Node::Nothing);
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed {
    type Value = Node<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Node<'de>, E> {
        Ok(Node::Nothing)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Node<'de>, E> {
        Ok(Node::Nothing)
    }

    fn visit_i64<E>(self, number: i64) -> Result<Node<'de>, E> {
        Ok(Node::Number(number as f64))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Node<'de>, E> {
        Ok(Node::Number(number as f64))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Node<'de>, E> {
        Ok(Node::Number(number))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Node<'de>, E> {
        Ok(Node::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Node<'de>, E> {
        Ok(Node::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Node<'de>, A::Error> {
        let mut elements = Vec::new();
        while elements.len() < ELEMENTS {
            match list.next_element_seed(Self { depth: self.depth - 1 })? {
                Some(element) => elements.push(element),
                None => return Ok(Node::List(elements)),
            }
        }
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Node::List(elements))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node<'de>, A::Error> {
        let mut members: Vec<(&'static str, Node<'de>)> = Vec::new();
        while let Some(name) = map.next_key_seed(Name)? {
            let Some(name) = name else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            let node = match name {
                "headers" => Node::Fields(map.next_value_seed(Fields)?),
                _ => map.next_value_seed(Self { depth: self.depth - 1 })?,
            };
            // Of a name that stands twice the last counts, as with most readers.
            match members.iter_mut().find(|(known, _)| std::ptr::eq(*known, name)) {
                Some((_, earlier)) => *earlier = node,
                None => members.push((name, node)),
            }
        }
        Ok(Node::Object(members))
    }
}

/// A member's name, if it is known.
struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Option<&'static str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Name {
    type Value = Option<&'static str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(known(name))
    }
}

/// The same name among those that are known. Most others are told by their first letter or their length.
fn known(name: &str) -> Option<&'static str> {
    let first = name.bytes().next().filter(|_| LENGTHS.contains(&name.len()))?;
    let initial = |known: &&str| known.bytes().next();
    let from = KNOWN.partition_point(|known| initial(known) < Some(first));
    let alike = KNOWN.get(from..)?.iter().take_while(|known| initial(known) == Some(first));
    alike.copied().find(|known| *known == name)
}

/// An object of strings, or of lists of strings; anything else is an empty one.
struct Fields;

impl<'de> DeserializeSeed<'de> for Fields {
    type Value = Vec<(String, String)>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Fields {
    type Value = Vec<(String, String)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("header fields")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut fields = Vec::new();
        while let Some(mut name) = map.next_key::<String>()? {
            let value = map.next_value_seed(Seed { depth: 2 })?;
            if fields.len() >= FIELDS || name.len() > FIELD_NAME {
                continue;
            }
            let value = match value {
                Node::Text(text) => text.into_owned(),
                Node::Number(number) => number.to_string(),
                Node::List(values) => match values.into_iter().next() {
                    Some(Node::Text(text)) => text.into_owned(),
                    _ => continue,
                },
                _ => continue,
            };
            if value.len() <= FIELD_VALUE {
                name.make_ascii_lowercase();
                fields.push((name, value));
            }
        }
        Ok(fields)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Vec::new())
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Vec::new())
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Vec::new())
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(Vec::new())
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(Vec::new())
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(Vec::new())
    }

    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        Ok(Vec::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_known_names_are_in_order() {
        assert!(KNOWN.is_sorted());
        assert!(KNOWN.iter().all(|name| super::known(name) == Some(name)));
        for other in ["", "a", "cod", "codes", "zzz", "@", "\u{fc}"] {
            assert_eq!(super::known(other), None);
        }
    }

    #[test]
    fn only_known_members_are_kept_and_of_two_the_last() {
        let node =
            parse(br#"{"code":1,"x":{"code":[{}]},"code":"two","error":{"message":"m","y":[1,2]}} junk"#).unwrap();
        let error = Node::Object(vec![("message", Node::Text("m".into()))]);
        assert_eq!(node, Node::Object(vec![("code", Node::Text("two".into())), ("error", error)]));
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
