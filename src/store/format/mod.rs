//! The text of a store: versioned JSON with a checksum. Members that this version does not know are kept, at every
//! level.
//!
//! ```text
//! { "version": 1, "revision": 7, "checksum": "crc32:0123abcd",
//!   "providers": { "openai": { "removed": 3, "credentials": [ { "id": "work", "revision": 7, "generation": 2, … } ] } } }
//! ```
//!
//! The order of the credentials is their order of use. Times are milliseconds since 1970.
//!
//! This room turns plain data into text and back, and touches no file. It is more than a `serde` derive, because a text that a
//! later version has written must not lose what this version does not know, and because no message may show a value.

#[cfg(feature = "file-store")]
mod checksum;
#[cfg(feature = "file-store")]
mod document;
mod members;
mod record;
#[cfg(all(test, feature = "file-store"))]
mod tests;

use std::fmt::Write as _;

use serde_json::Value;
use zeroize::Zeroize;

#[cfg(feature = "file-store")]
pub(super) use self::document::Document;
pub(super) use self::members::{At, Problem};
#[cfg(feature = "file-store")]
pub(super) use self::record::cut;
pub(super) use self::record::{read, write};
use crate::credentials::Secret;

/// The text of a value. It is measured first, because a buffer that grows would leave its old piece in memory.
pub(super) fn text_of(value: &Value) -> Secret {
    let mut size = Size(0);
    // Neither a count nor a `String` refuses what is written to it.
    let _ = write!(size, "{value}");
    let mut text = String::with_capacity(size.0);
    let _ = write!(text, "{value}");
    Secret::new(text)
}

/// Counts the bytes that are written to it.
struct Size(usize);

impl std::fmt::Write for Size {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.0 = self.0.saturating_add(text.len());
        Ok(())
    }
}

impl std::io::Write for Size {
    fn write(&mut self, text: &[u8]) -> std::io::Result<usize> {
        self.0 = self.0.saturating_add(text.len());
        Ok(text.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

pub(super) fn wipe(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(values) => values.iter_mut().for_each(wipe),
        Value::Object(members) => members.values_mut().for_each(wipe),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
