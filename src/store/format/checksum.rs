//! The checksum over the content of a text, by which every damaged bit shows. It does not depend on white space and
//! order.

use crc32fast::Hasher;
use serde_json::{Map, Value};

/// The checksum of all members but `checksum` itself.
pub(super) fn of(root: &Map<String, Value>) -> String {
    let mut hasher = Hasher::new();
    members(&mut hasher, root, Some("checksum"));
    format!("crc32:{:08x}", hasher.finalize())
}

fn members(hasher: &mut Hasher, members: &Map<String, Value>, without: Option<&str>) {
    // The map's own order depends on a feature of serde_json that any other crate can turn on.
    let mut sorted: Vec<_> = members.iter().filter(|(name, _)| Some(name.as_str()) != without).collect();
    sorted.sort_by_key(|(name, _)| name.as_str());
    for (name, member) in sorted {
        text(hasher, b'k', name);
        value(hasher, member);
    }
    hasher.update(b"}");
}

/// Hashes a value with a letter before it and texts with their length, so that no two contents look alike.
fn value(hasher: &mut Hasher, of: &Value) {
    match of {
        Value::Null => hasher.update(b"0"),
        Value::Bool(true) => hasher.update(b"t"),
        Value::Bool(false) => hasher.update(b"f"),
        Value::Number(number) => text(hasher, b'n', &number.to_string()),
        Value::String(string) => text(hasher, b's', string),
        Value::Array(values) => {
            hasher.update(b"[");
            values.iter().for_each(|member| value(hasher, member));
            hasher.update(b"]");
        }
        Value::Object(object) => {
            hasher.update(b"{");
            members(hasher, object, None);
        }
    }
}

fn text(hasher: &mut Hasher, kind: u8, text: &str) {
    hasher.update(&[kind]);
    hasher.update(&u64::try_from(text.len()).unwrap_or(u64::MAX).to_le_bytes());
    hasher.update(text.as_bytes());
}
